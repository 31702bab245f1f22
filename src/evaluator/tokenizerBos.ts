/**
 * Whether a folder's tokenizer puts BOS before every text by itself. lm-evaluation-harness encodes
 * contexts as the tokenizer does by default, so scores depend on it: Llama's begins with `<s>`,
 * GPT-2's and Qwen's do not.
 */
import { z } from 'zod';
import { readJsonInFolder } from '../model/jsonFile.js';

const configSchema = z.looseObject({ add_bos_token: z.boolean().nullish() });
const templateSchema = z.looseObject({
  type: z.string(),
  single: z.array(z.looseObject({ SpecialToken: z.unknown().optional() })).optional(),
  processors: z.array(z.looseObject({})).optional(),
});
const tokenizerSchema = z.looseObject({ post_processor: templateSchema.nullish() });

/**
 * `add_bos_token` of `tokenizer_config.json` where it is given, else whether the post-processor of
 * `tokenizer.json` begins a text with a special token. Throws a `CfsError` for a broken file.
 */
export function tokenizerAddsBos(folder: string): boolean {
  const stated = readJsonInFolder(folder, 'tokenizer_config.json', configSchema)?.add_bos_token;
  if (typeof stated === 'boolean') return stated;
  const processor = readJsonInFolder(folder, 'tokenizer.json', tokenizerSchema)?.post_processor;
  return processor !== null && processor !== undefined && beginsWithSpecial(processor);
}

function beginsWithSpecial(processor: z.output<typeof templateSchema>): boolean {
  if (processor.type === 'TemplateProcessing')
    return processor.single?.[0]?.SpecialToken !== undefined;
  return (processor.processors ?? []).some((part) => {
    const parsed = templateSchema.safeParse(part);
    return parsed.success && beginsWithSpecial(parsed.data);
  });
}
