/**
 * The whole job with what a user would run instead of CFS Studio: TRL's `SFTTrainer` on the rows,
 * in the order, with the masks and the learning rates that our own trainer used.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { TokenRow } from '../../src/model/batch.js';
import { runChild } from '../support/child.js';
import type { PeerPython } from './python.js';

export interface TrlSettings {
  /** A Hugging Face folder with a tokenizer, read as float32. */
  folder: string;
  /** Rows per step; batch k is rows `k * batchRows` onwards. */
  batchRows: number;
  /** The learning rate of each step; their number is the number of steps. */
  rates: readonly number[];
  betas: [number, number];
  eps: number;
  /** TRL leaves norms and biases out of it: see `notDecayed` in the result. */
  weightDecay: number;
  /** Largest global gradient norm; 0 for no clipping. */
  clip: number;
  seed: number;
  threads: number;
  attention: 'eager' | 'sdpa';
  optimizer: 'adamw_torch_fused' | 'adamw_torch';
  /** `chunked_nll` is TRL's default: logits of the targets only, in chunks. Same maths as `nll`. */
  lossType: 'chunked_nll' | 'nll';
  /** TRL's default is true: less memory, more time. */
  gradientCheckpointing: boolean;
}

const resultSchema = z.object({
  versions: z.record(z.string(), z.string()),
  steps: z.array(
    z.object({
      /** Mean over all targets of the batch, in nats. */
      loss: z.number(),
      /** Global norm before clipping. */
      gradNorm: z.number(),
      learningRate: z.number(),
      /** Since the end of the step before: data and logging included. */
      seconds: z.number(),
      /** Padding included. */
      tokens: z.number(),
      targets: z.number(),
    }),
  ),
  /** Wall seconds of `train()`. */
  trainSeconds: z.number(),
  /** Resident bytes: the highest ever, and before the model was loaded. */
  peakBytes: z.number(),
  baselineBytes: z.number(),
  notDecayed: z.array(z.string()),
});
export type TrlResult = z.infer<typeof resultSchema> & {
  /** Wall seconds of the whole process, imports and loading included. */
  processSeconds: number;
};

const script = fileURLToPath(new URL('trlSft.py', import.meta.url));

/** Runs the job and waits for it. Needs the packages torch, transformers, trl and datasets. */
export async function runTrlSft(
  python: PeerPython,
  rows: readonly TokenRow[],
  settings: TrlSettings,
): Promise<TrlResult> {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-trl-'));
  try {
    const spec = join(folder, 'spec.json');
    const result = join(folder, 'result.json');
    writeFileSync(join(folder, 'rows.jsonl'), rows.map(toJsonLine).join(''));
    writeFileSync(spec, JSON.stringify({ ...settings, rows: join(folder, 'rows.jsonl'), result }));
    const start = performance.now();
    await runChild('TRL', python.command, [script, spec], {
      environment: { OMP_NUM_THREADS: String(settings.threads) },
    });
    const processSeconds = (performance.now() - start) / 1000;
    const parsed = resultSchema.parse(JSON.parse(readFileSync(result, 'utf8')));
    return { ...parsed, processSeconds };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One line of the rows file; −100 marks a token that is not a target. */
export function toJsonLine(row: TokenRow): string {
  const ids = Array.from(row.ids);
  const labels = ids.map((id, i) => (row.supervised[i] === 1 ? id : -100));
  return `${JSON.stringify({ input_ids: ids, labels })}\n`;
}
