/** Rotary frequencies from a config, in the spellings of transformers 4 and 5. */
import { z } from 'zod';
import { CfsError } from '../errors.js';

const scaling = z.looseObject({
  rope_type: z.string().optional(),
  /** The name of `rope_type` before transformers 4.43. */
  type: z.string().optional(),
  rope_theta: z.number().positive().optional(),
  partial_rotary_factor: z.number().positive().max(1).optional(),
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
  rope_scaling: scaling.nullish(),
  /** transformers 5 */
  rope_parameters: scaling.nullish(),
};

interface RopeConfig {
  rope_theta?: number;
  rope_scaling?: z.infer<typeof scaling> | null;
  rope_parameters?: z.infer<typeof scaling> | null;
}

/**
 * θ_i = base^(−2i/dim) for the `dim` rotated elements of a head, bent for long contexts where
 * the config says so (Llama 3's rule). Throws `MODEL_UNSUPPORTED` for other rules.
 */
export function inverseFrequencies(config: RopeConfig, dim: number, file: string): number[] {
  const rules = config.rope_parameters ?? config.rope_scaling ?? {};
  const base = config.rope_parameters?.rope_theta ?? config.rope_theta ?? 10_000;
  const plain = Array.from({ length: dim / 2 }, (_, i) => base ** ((-2 * i) / dim));
  const kind = rules.rope_type ?? rules.type ?? 'default';
  if (kind === 'default') return plain;
  const parsed = llama3.safeParse(rules);
  if (kind !== 'llama3' || !parsed.success) {
    throw new CfsError({
      code: 'MODEL_UNSUPPORTED',
      message: `The rope scaling “${kind}” is not supported${kind === 'llama3' ? ' with these fields' : ''}.`,
      remedy: 'Choose a model with plain rotary embeddings or with the scaling of Llama 3.',
      place: { file, field: config.rope_parameters ? 'rope_parameters' : 'rope_scaling' },
    });
  }
  return plain.map((frequency) => bend(frequency, parsed.data));
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
