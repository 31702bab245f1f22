/** The files of a Hugging Face oracle folder: reference numbers for a tiny model. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { TokenRow } from '../../src/model/batch.js';

const numbers = z.array(z.number());

/** A tensor's fingerprint: some values and sums. */
const summary = z.object({
  shape: numbers,
  sum: z.number(),
  sumsq: z.number(),
  maxabs: z.number(),
  first8: numbers,
  probe: numbers,
});
export type Summary = z.infer<typeof summary>;

const expectedSchema = z.object({
  input_ids: z.array(numbers),
  attention_mask: z.array(numbers),
  labels: z.array(numbers),
  loss: z.number(),
  token_nll: z.array(z.array(z.number().nullable())),
  logits_row0: z.array(numbers),
  logits_row1_last_real: numbers,
  grads: z.record(z.string(), summary),
  grad_norm: z.number(),
  greedy: z.object({ prompt: numbers, continuation: numbers }),
});

const variant = z.object({
  losses: numbers,
  grad_norms_before_clip: numbers,
  loss_after_3_steps: z.number(),
  params: z.record(z.string(), summary),
  deltas: z.record(z.string(), summary),
});
const variantNames = ['noclip', 'clip1', 'noclip_trainer_groups'] as const;
export type VariantName = (typeof variantNames)[number];

const adamWSchema = z.object({ variants: z.record(z.enum(variantNames), variant) });

export type Expected = z.infer<typeof expectedSchema>;
export type AdamWVariant = z.infer<typeof variant>;

export interface Oracle {
  expected: Expected;
  /** The batch without padding. Loss is the mean over all its targets. */
  rows: TokenRow[];
  adamW: Partial<Record<VariantName, AdamWVariant>>;
}

export function readOracle(folder: string): Oracle {
  const expected = expectedSchema.parse(readJson(join(folder, 'expected.json')));
  const adamWFile = join(folder, 'adamw.json');
  const adamW = existsSync(adamWFile) ? adamWSchema.parse(readJson(adamWFile)).variants : {};
  const rows = expected.input_ids.map((ids, r) => {
    const length = (expected.attention_mask[r] ?? []).filter((flag) => flag === 1).length;
    const labels = expected.labels[r] ?? [];
    return {
      ids: Int32Array.from(ids.slice(0, length)),
      supervised: Uint8Array.from({ length }, (_, i) => (i > 0 && labels[i] !== -100 ? 1 : 0)),
    };
  });
  return { expected, rows, adamW };
}

function readJson(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}
