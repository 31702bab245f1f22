/**
 * A tokenizer as the rest of the program sees it, and `loadTokenizer`, which makes one from a
 * Hugging Face folder. The work is done by `@huggingface/tokenizers`; here are the choices around
 * it: text of a user never turns into special tokens, and decoding gives back exactly what the
 * tokens say (no "clean-up" of spaces).
 */
import { join } from 'node:path';
import { Tokenizer as HubTokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';
import { CfsError, messageOf } from '../errors.js';
import { fileInFolder, readJsonInFolder, readText } from './jsonFile.js';
import { guardOf } from './tokenizerPatterns.js';

export interface Tokenizer {
  /** Number of ids, added tokens included. */
  vocabSize: number;
  /**
   * Text → ids, with no special tokens added. Special tokens written in the text are not parsed: a
   * dataset row that says "</s>" gives the ids of those four characters (as `transformers` does
   * with `split_special_tokens=True`). Added tokens that are not special are still found.
   */
  encode(text: string): number[];
  /** Text → ids where special tokens written in the text become them, as chat templates need. */
  encodeWithSpecials(text: string): number[];
  /** Ids → text; special tokens are left out unless `keepSpecial`. Ids without a token are skipped. */
  decode(ids: readonly number[], options?: { keepSpecial?: boolean }): string;
  /** The text of one id as it stands in a sequence, for showing tokens one by one. */
  tokenText(id: number): string;
  /** The id of a token's exact text, if it has one. */
  idOf(token: string): number | undefined;
  /** The jinja chat template, if the folder has one. */
  chatTemplate: string | undefined;
}

const addedTokenSchema = z.looseObject({
  content: z.string(),
  special: z.boolean().optional(),
});
const tokenizerSchema = z.looseObject({
  added_tokens: z.array(addedTokenSchema.extend({ id: z.int().nonnegative() })).default([]),
  // Hundreds of thousands of entries: checked in `addedTokens`, not copied by zod.
  model: z.looseObject({ vocab: z.custom<object>((vocab) => typeof vocab === 'object' && vocab) }),
});
/** A token name as the configs write it: its text, or an object holding it. */
export const tokenNameSchema = z
  .union([z.string(), z.looseObject({ content: z.string() })])
  .nullish()
  .transform((token) => (typeof token === 'string' ? token : token?.content));
const configSchema = z.looseObject({
  added_tokens_decoder: z.record(z.string(), addedTokenSchema).optional(),
  bos_token: tokenNameSchema,
  eos_token: tokenNameSchema,
  pad_token: tokenNameSchema,
  chat_template: z
    .union([z.string(), z.array(z.looseObject({ name: z.string(), template: z.string() }))])
    .nullish(),
});
type TokenizerJson = z.infer<typeof tokenizerSchema>;
type TokenizerConfig = z.infer<typeof configSchema>;

/** An id beyond this is a broken file: the largest real vocabularies have some 300,000 ids. */
const largestId = 1 << 24;

/**
 * The tokenizer of a model folder: `tokenizer.json`, `tokenizer_config.json` and
 * `chat_template.jinja` (the last two where they exist). Throws `TOKENIZER_MISSING`,
 * `TOKENIZER_UNSUPPORTED`, `MODEL_FILE_INVALID`.
 */
export function loadTokenizer(folder: string): Tokenizer {
  const json = readJsonInFolder(folder, 'tokenizer.json', tokenizerSchema);
  if (json === undefined) throw noTokenizer(folder);
  const config =
    readJsonInFolder(folder, 'tokenizer_config.json', configSchema) ?? configSchema.parse({});
  const named = [config.bos_token, config.eos_token, config.pad_token];
  const isSpecial = (token: { content: string; special?: boolean | undefined }): boolean =>
    token.special === true || named.includes(token.content);
  try {
    const added = addedTokens(json, config);
    const full = new HubTokenizer({ ...json, added_tokens: added }, config);
    // The same tokenizer without the special tokens; it borrows the vocabulary, made once.
    const plain = new HubTokenizer(
      {
        ...json,
        added_tokens: added.filter((token) => !isSpecial(token)),
        model: { type: 'BPE', vocab: {}, merges: [] },
      },
      config,
    );
    plain.model = full.model;
    const special = new Set(added.filter(isSpecial).map((token) => token.id));
    const file = join(folder, 'tokenizer.json');
    const guards = {
      encoding: guardOf([json['normalizer'], json['pre_tokenizer']], file),
      decoding: guardOf([json['decoder']], file),
    };
    return wrap({ full, plain, special, guards, chatTemplate: chatTemplate(folder, config) });
  } catch (error) {
    throw error instanceof CfsError ? error : unsupported(folder, error);
  }
}

/** Throws `TOKENIZER_MISMATCH` when the tokenizer can give ids that the model does not have. */
export function checkTokenizer(tokenizer: Tokenizer, vocabSize: number, folder: string): void {
  if (tokenizer.vocabSize <= vocabSize) return;
  throw new CfsError({
    code: 'TOKENIZER_MISMATCH',
    message:
      `The tokenizer has ${tokenizer.vocabSize} ids, but the model knows only ${vocabSize}: ` +
      'they do not belong together.',
    remedy: 'Put the tokenizer files that came with this model into its folder.',
    place: { file: join(folder, 'tokenizer.json') },
  });
}

interface Parts {
  full: HubTokenizer;
  plain: HubTokenizer;
  special: ReadonlySet<number>;
  guards: Record<'encoding' | 'decoding', ReturnType<typeof guardOf>>;
  chatTemplate: string | undefined;
}

function wrap({ full, plain, special, guards, chatTemplate }: Parts): Tokenizer {
  const idsOf = (tokenizer: HubTokenizer, text: string): number[] =>
    guards.encoding(text.length, () => tokenizer.encode(text, { add_special_tokens: false }).ids);
  const decoded = (ids: number[]): string =>
    full.decode(ids, { clean_up_tokenization_spaces: false });
  const textOf = (ids: number[]): string =>
    ids.length === 0 ? '' : guards.decoding(ids.length, () => decoded(ids));
  // Decoders treat the first token of a text differently (Llama drops its space), so a single
  // token is decoded behind a letter.
  const anchor = idsOf(plain, 'a');
  const anchorText = textOf(anchor);
  return {
    vocabSize: full.model?.vocab.length ?? 0,
    encode: (text) => idsOf(plain, text),
    encodeWithSpecials: (text) => idsOf(full, text),
    decode: (ids, options) =>
      textOf(
        ids.filter(
          (id) => full.id_to_token(id) !== undefined && (options?.keepSpecial || !special.has(id)),
        ),
      ),
    tokenText: (id) => {
      const token = full.id_to_token(id);
      if (token === undefined || special.has(id)) return token ?? `[${id}]`;
      return textOf([...anchor, id]).slice(anchorText.length);
    },
    idOf: (token) => full.token_to_id(token),
    chatTemplate,
  };
}

/** Those of `tokenizer.json`, and those that only `tokenizer_config.json` names, as HF adds them. */
function addedTokens(json: TokenizerJson, config: TokenizerConfig): TokenizerJson['added_tokens'] {
  const known = new Set(json.added_tokens.map((token) => token.id));
  const more = Object.entries(config.added_tokens_decoder ?? {})
    .map(([id, token]) => ({ ...token, id: Number(id) }))
    .filter(({ id }) => !known.has(id));
  const tokens = [...json.added_tokens, ...more];
  const { vocab } = json.model;
  const ids: unknown[] = Array.isArray(vocab) ? [] : Object.values(vocab);
  for (const id of [...ids, ...tokens.map((token) => token.id)]) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > largestId) {
      throw new Error(`it gives a token the id ${String(id)}`);
    }
  }
  return tokens;
}

function chatTemplate(folder: string, config: TokenizerConfig): string | undefined {
  const file = fileInFolder(folder, 'chat_template.jinja');
  if (file !== undefined) return readText(file);
  const template = config.chat_template ?? undefined;
  if (template === undefined || typeof template === 'string') return template;
  return template.find(({ name }) => name === 'default')?.template;
}

function noTokenizer(folder: string): CfsError {
  const slow = fileInFolder(folder, 'tokenizer.model') !== undefined;
  return new CfsError({
    code: 'TOKENIZER_MISSING',
    message: slow
      ? 'The folder has only tokenizer.model; tokenizer.json is needed.'
      : 'The folder has no tokenizer.json.',
    remedy: slow
      ? 'Load the tokenizer in transformers with AutoTokenizer and call save_pretrained.'
      : 'Put the tokenizer files that came with this model into its folder.',
    place: { file: join(folder, 'tokenizer.json') },
  });
}

function unsupported(folder: string, cause: unknown): CfsError {
  return new CfsError({
    code: 'TOKENIZER_UNSUPPORTED',
    message: `The tokenizer cannot be used: ${messageOf(cause)}.`,
    remedy: 'Check that tokenizer.json is the file that came with the model.',
    place: { file: join(folder, 'tokenizer.json') },
    cause,
  });
}
