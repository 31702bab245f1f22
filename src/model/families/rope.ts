/** Rotary frequencies from a config, in the spellings of transformers 4 and 5. */
import { z } from 'zod';
import { CfsError } from '../../errors.js';
import type { Rope } from '../architecture.js';
import { configError } from './config.js';

/** The share of a head's elements that is rotated. */
export const rotatedShare = z.number().positive().max(1);

const scaling = z.looseObject({
  rope_type: z.string().optional(),
  /** The name of `rope_type` before transformers 4.43. */
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  partial_rotary_factor: rotatedShare.nullish(),
});

const llama3 = z.looseObject({
  factor: z.number().positive(),
  low_freq_factor: z.number().positive(),
  high_freq_factor: z.number().positive(),
  original_max_position_embeddings: z.number().positive(),
});

/** The fields of `config.json` that describe rotary embedding. */
export const ropeFields = {
  rope_theta: z.number().positive().optional(),
  partial_rotary_factor: rotatedShare.nullish(),
  rope_scaling: scaling.nullish(),
  /** transformers 5 */
  rope_parameters: scaling.nullish(),
};
type RopeConfig = z.infer<z.ZodObject<typeof ropeFields>>;

/**
 * θ_i = base^(−2i/n) for the n rotated elements of a head (`partial_rotary_factor` of `headDim`),
 * bent for long contexts where the config says so (Llama 3's rule). Throws `MODEL_UNSUPPORTED` for
 * other rules and `MODEL_CONFIG_INVALID` for a share that leaves half a pair.
 *
 * Every family honours `partial_rotary_factor`. transformers 5.18 does so for Phi-3 and GPT-NeoX; its
 * Llama ignores the factor with plain rotary embedding and fails with a scaled one, so a Llama whose
 * config states a factor below 1 gives other numbers there than here.
 */
export function ropeOf(config: RopeConfig, headDim: number, file: string): Rope {
  const section = config.rope_parameters ? 'rope_parameters' : 'rope_scaling';
  const rules = config.rope_parameters ?? config.rope_scaling ?? {};
  const base = config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000;
  const share = rules.partial_rotary_factor ?? config.partial_rotary_factor ?? 1;
  const rotated = Math.floor(headDim * share);
  if (rotated < 2 || rotated % 2 !== 0) {
    const field = 'partial_rotary_factor';
    throw configError(
      file,
      rules.partial_rotary_factor ? `${section}.${field}` : field,
      `${share} of a head of ${headDim} elements is ${rotated}; rotary embedding turns pairs, one at least.`,
    );
  }
  const plain = Array.from({ length: rotated / 2 }, (_, i) => base ** ((-2 * i) / rotated));
  const kind = rules.rope_type ?? rules.type ?? 'default';
  if (kind === 'default') return { inverseFrequencies: plain };
  const parsed = llama3.safeParse(rules);
  if (kind === 'llama3' && parsed.success) {
    return { inverseFrequencies: plain.map((frequency) => bend(frequency, parsed.data)) };
  }
  throw new CfsError({
    code: 'MODEL_UNSUPPORTED',
    message: `The RoPE scaling “${kind}” is not supported${kind === 'llama3' ? ' with these fields' : ''}.`,
    remedy: 'Choose a model with plain rotary embeddings or with the scaling of Llama 3.',
    place: { file, field: section },
  });
}

/** Llama 3.1: low frequencies are divided by `factor`, high ones kept, those between blended. */
function bend(frequency: number, rule: z.infer<typeof llama3>): number {
  const wavelength = (2 * Math.PI) / frequency;
  const original = rule.original_max_position_embeddings;
  if (wavelength < original / rule.high_freq_factor) return frequency;
  if (wavelength > original / rule.low_freq_factor) return frequency / rule.factor;
  const smooth =
    (original / wavelength - rule.low_freq_factor) / (rule.high_freq_factor - rule.low_freq_factor);
  return ((1 - smooth) * frequency) / rule.factor + smooth * frequency;
}
