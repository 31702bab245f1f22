/** What the families' `config.json`s have in common, and the one error of a config that is wrong. */
import { z } from 'zod';
import { CfsError } from '../../errors.js';
import type { FamilySource } from '../architecture.js';

/** The deepest models have some 130 layers, and those of the experiments of 2022 a thousand. */
const mostLayers = 1024;
/** Tokens; the longest contexts are of some ten million. */
const longestContext = 1 << 24;

/**
 * The numbers that a config has to state. Lists as long as they say are made of them, so they are
 * held to what the weights have, before anything is: a size is at most the largest of any tensor, and
 * each layer has a tensor at least.
 */
export function numbersOf({ extent }: FamilySource) {
  const positive = z.int().positive();
  const { tensors, largestSize } = extent ?? { tensors: Infinity, largestSize: Infinity };
  return {
    size: positive.refine((size) => size <= largestSize, {
      error: ({ input }) =>
        `no tensor has a size of ${Number(input)}, the largest is ${largestSize}`,
    }),
    layers: positive
      .max(mostLayers, `more than ${mostLayers} layers are not supported`)
      .refine((layers) => layers <= tensors, {
        error: ({ input }) =>
          `the weights have only ${tensors} tensors for ${Number(input)} layers`,
      }),
    context: positive.max(longestContext, `no context is longer than ${longestContext} tokens`),
  };
}

/** The fields in which Hugging Face describes the heads of most families. */
export function headFields({ size }: ReturnType<typeof numbersOf>) {
  return {
    hidden_size: size,
    num_attention_heads: size,
    num_key_value_heads: size.optional(),
    head_dim: size.nullish(),
  };
}
type HeadConfig = z.infer<z.ZodObject<ReturnType<typeof headFields>>>;

/** `config.json` through a family's schema. Throws `MODEL_CONFIG_INVALID` naming the field. */
export function parseConfig<T>(schema: z.ZodType<T>, { config, file }: FamilySource): T {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const family = String(config.model_type);
  throw configError(
    file,
    issue?.path.join('.'),
    `The model's config.json does not describe a model of type “${family}”: ${issue?.message ?? 'unreadable'}.`,
  );
}

/** Heads, key/value heads and their size. Throws `MODEL_CONFIG_INVALID` where they do not fit. */
export function headsOf(
  config: HeadConfig,
  file: string,
): { heads: number; kvHeads: number; headDim: number } {
  const heads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? heads;
  const headDim = config.head_dim ?? config.hidden_size / heads;
  if (heads % kvHeads === 0 && Number.isInteger(headDim) && headDim % 2 === 0) {
    return { heads, kvHeads, headDim };
  }
  throw configError(
    file,
    'num_attention_heads',
    `${heads} attention heads do not fit ${kvHeads} key/value heads of size ${headDim}.`,
  );
}

export function configError(file: string, field: string | undefined, message: string): CfsError {
  return new CfsError({
    code: 'MODEL_CONFIG_INVALID',
    message,
    remedy: 'Download the model again, or choose another base model.',
    place: { file, field },
  });
}
