/**
 * Finding the token that begins a text. Context-free samples are drawn from it alone, so a wrong
 * one ruins the run without an error; folders say it in six places, or nowhere. The finding is
 * therefore reported with its reason and with the other candidates, and can be overridden.
 */
import { z } from 'zod';
import { CfsError } from '../errors.js';
import type { BosToken } from '../protocol/records.js';
import { readJsonInFolder } from './jsonFile.js';
import { tokenNameSchema } from './tokenizer.js';
import type { Tokenizer } from './tokenizer.js';

export type BosSource =
  | 'override'
  | 'tokenizer_config.json'
  | 'special_tokens_map.json'
  | 'config.json'
  | 'generation_config.json'
  | 'tokenizer.json'
  | 'fallback';

export interface BosFinding extends BosToken {
  source: BosSource;
  /** Other tokens that could begin a text, the likelier first; never the chosen one. */
  candidates: BosToken[];
}

interface Found extends BosToken {
  source: BosSource;
}

const namesSchema = z.looseObject({ bos_token: tokenNameSchema, eos_token: tokenNameSchema });
const idsSchema = z
  .union([z.int(), z.array(z.int())])
  .nullish()
  .transform((ids) => (ids === null || ids === undefined ? [] : [ids].flat()));
const configSchema = z.looseObject({ bos_token_id: idsSchema, eos_token_id: idsSchema });
const addsBosSchema = z.looseObject({ add_bos_token: z.boolean().nullish() });
const processorSchema = z.looseObject({
  type: z.string(),
  single: z.array(z.looseObject({})).optional(),
  processors: z.array(z.looseObject({})).optional(),
});
const postProcessorSchema = z.looseObject({ post_processor: processorSchema.nullish() });
const specialItemSchema = z.looseObject({ SpecialToken: z.looseObject({ id: z.string() }) });

const nameFiles = ['tokenizer_config.json', 'special_tokens_map.json'] as const;
const idFiles = ['config.json', 'generation_config.json'] as const;

/** Separates documents in the training text of GPT-2, GPT-NeoX, OLMo, Qwen: it begins one too. */
const endOfText = '<|endoftext|>';
/** Tokens of these names begin or separate documents in one model family or another. */
const wellKnown = [endOfText, '<s>', '<bos>', '<|begin_of_text|>', '<|startoftext|>'];

/**
 * The BOS token of a model folder, looked for in `tokenizer_config.json`,
 * `special_tokens_map.json`, `config.json`, `generation_config.json` and the tokenizer's
 * post-processor, in this order; a model without one gets `<|endoftext|>`, else its EOS.
 * `override` is an id or a token's text. Throws `BOS_OVERRIDE_UNKNOWN`, `BOS_NOT_FOUND`.
 */
export function findBos(
  folder: string,
  tokenizer: Tokenizer,
  override?: number | string,
): BosFinding {
  const found = [...stated(folder, tokenizer), ...fallbacks(folder, tokenizer)];
  const chosen = override === undefined ? found[0] : overridden(tokenizer, override, found);
  if (chosen === undefined) throw notFound(folder);
  const others = new Map<number, BosToken>();
  for (const { id, token, reason } of found) {
    if (id !== chosen.id && !others.has(id)) others.set(id, { id, token, reason });
  }
  return { ...chosen, candidates: [...others.values()] };
}

/** The ids that end a text, the likeliest first; empty when the folder names none. */
export function findEos(folder: string, tokenizer: Tokenizer): number[] {
  const ids = [
    ...[...idFiles].reverse().flatMap((file) => readIds(folder, file).eos),
    ...nameFiles.map((file) => idOf(tokenizer, readNames(folder, file).eos_token)),
  ].filter((id) => id !== undefined && tokenTextOf(tokenizer, id) !== undefined);
  const unique = [...new Set(ids)].filter((id) => id !== undefined);
  const separator = tokenizer.idOf(endOfText);
  return unique.length > 0 || separator === undefined ? unique : [separator];
}

/**
 * Whether the model's own tokenizer puts a BOS token before every text, as Llama's does and
 * GPT-2's does not: `add_bos_token` of `tokenizer_config.json` where it is given, else what the
 * post-processor of `tokenizer.json` does. lm-evaluation-harness encodes contexts this way.
 */
export function tokenizerAddsBos(folder: string): boolean {
  const stated = readJsonInFolder(folder, 'tokenizer_config.json', addsBosSchema)?.add_bos_token;
  return stated ?? templateStart(folder) !== undefined;
}

/** What the folder's files say is the BOS token, in order. */
function stated(folder: string, tokenizer: Tokenizer): Found[] {
  const found: Found[] = [];
  const add = (id: number | undefined, source: BosSource, why: (token: string) => string): void => {
    const token = id === undefined ? undefined : tokenTextOf(tokenizer, id);
    if (id === undefined || token === undefined) return;
    found.push({ id, token, source, reason: why(JSON.stringify(token)) });
  };
  for (const file of nameFiles) {
    const id = idOf(tokenizer, readNames(folder, file).bos_token);
    add(id, file, (token) => `${file} names ${token} as bos_token.`);
  }
  for (const file of idFiles) {
    for (const id of readIds(folder, file).bos) {
      add(id, file, (token) => `${file} gives ${id}, which is ${token}, as bos_token_id.`);
    }
  }
  const first = templateStart(folder);
  add(idOf(tokenizer, first), 'tokenizer.json', (token) => {
    return `The post-processor of tokenizer.json puts ${token} before every text.`;
  });
  return found;
}

/** What can stand in for a BOS token, in order. */
function fallbacks(folder: string, tokenizer: Tokenizer): Found[] {
  const found: Found[] = [];
  const add = (id: number | undefined, reason: (token: string) => string): void => {
    const token = id === undefined ? undefined : tokenTextOf(tokenizer, id);
    if (id === undefined || token === undefined) return;
    found.push({ id, token, source: 'fallback', reason: reason(JSON.stringify(token)) });
  };
  add(
    tokenizer.idOf(endOfText),
    (token) => `No file names another BOS token, and ${token} separates the training documents.`,
  );
  for (const id of findEos(folder, tokenizer)) {
    add(id, (token) => `${token} ends a text, so a new text may follow it.`);
  }
  for (const name of wellKnown) {
    add(tokenizer.idOf(name), (token) => `The vocabulary has ${token}, a common BOS token.`);
  }
  return found;
}

function overridden(tokenizer: Tokenizer, override: number | string, found: Found[]): Found {
  const id = typeof override === 'number' ? override : tokenizer.idOf(override);
  const token = id === undefined ? undefined : tokenTextOf(tokenizer, id);
  if (id !== undefined && token !== undefined) {
    return { id, token, source: 'override', reason: 'It was chosen in the settings.' };
  }
  const known = [...new Set(found.map((one) => `${one.token} (${one.id})`))].join(', ');
  throw new CfsError({
    code: 'BOS_OVERRIDE_UNKNOWN',
    message: `The tokenizer has no token ${JSON.stringify(override)} to use as the BOS token.`,
    remedy: `Set the id or the exact text of a token${known === '' ? '' : `, such as ${known}`}.`,
    place: { field: 'bos' },
  });
}

function notFound(folder: string): CfsError {
  return new CfsError({
    code: 'BOS_NOT_FOUND',
    message: "None of the model's files names a BOS or EOS token.",
    remedy: 'Set the BOS token yourself, as an id or as its text.',
    place: { file: folder, field: 'bos' },
  });
}

function readNames(folder: string, file: string): Partial<z.infer<typeof namesSchema>> {
  return readJsonInFolder(folder, file, namesSchema) ?? {};
}

function readIds(folder: string, file: string): { bos: number[]; eos: number[] } {
  const config = readJsonInFolder(folder, file, configSchema);
  return { bos: config?.bos_token_id ?? [], eos: config?.eos_token_id ?? [] };
}

/** The special token that the post-processor's template puts first, if it does. */
function templateStart(folder: string): string | undefined {
  const json = readJsonInFolder(folder, 'tokenizer.json', postProcessorSchema);
  return firstSpecial(json?.post_processor ?? undefined);
}

function firstSpecial(processor: unknown): string | undefined {
  const parsed = processorSchema.safeParse(processor);
  if (!parsed.success) return undefined;
  const { type, single, processors } = parsed.data;
  if (type === 'Sequence') {
    return (processors ?? []).map(firstSpecial).find((token) => token !== undefined);
  }
  const first =
    type === 'TemplateProcessing' ? specialItemSchema.safeParse(single?.[0]) : undefined;
  return first?.data?.SpecialToken.id;
}

function idOf(tokenizer: Tokenizer, token: string | undefined): number | undefined {
  return token === undefined ? undefined : tokenizer.idOf(token);
}

/** The text of a token that exists. */
function tokenTextOf(tokenizer: Tokenizer, id: number): string | undefined {
  const text = tokenizer.decode([id], { keepSpecial: true });
  return id < 0 || id >= tokenizer.vocabSize || text === '' ? undefined : text;
}
