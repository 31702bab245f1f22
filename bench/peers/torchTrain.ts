/**
 * PyTorch's training step as a benchmark sees it: `torchTrain.py` in a process of its own, and the
 * choice of its fastest attention and optimizer, so that we compare with PyTorch at its best.
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startLineProcess } from './lineProcess.js';
import type { PeerPython } from './python.js';

export interface TorchSettings {
  /** A Hugging Face folder, read as float32. */
  folder: string;
  attention: 'eager' | 'sdpa';
  /** How `torch.optim.AdamW` goes over the tensors. */
  optimizer: 'loop' | 'foreach' | 'fused';
  /** `compile` is `torch.compile`; its first step includes the compilation. */
  mode: 'eager' | 'compile';
  /** `bfloat16` is autocast: the products in half precision, the weights in float32. */
  precision: 'float32' | 'bfloat16';
  lr: number;
  betas: [number, number];
  eps: number;
  /** Applied to every parameter, as `torch.optim.AdamW` does when given no groups. */
  weightDecay: number;
  /** Largest global gradient norm; 0 for no clipping. */
  clip: number;
  seed: number;
}

/** One row-major `[batch, time]` batch; every token but a row's first is a target. */
export interface TorchBatch {
  batch: number;
  time: number;
  /** Left out: random tokens, drawn by PyTorch from the seed. */
  ids?: readonly number[];
}

const stepSchema = z.object({
  /** Mean over all targets, in nats. */
  loss: z.number(),
  /** Global norm before clipping; null when there is no clipping. */
  gradNorm: z.number().nullable(),
  /** Wall seconds of the whole step and of its parts; clipping counts as optimizer. */
  seconds: z.number(),
  forward: z.number(),
  backward: z.number(),
  optimizer: z.number(),
});
export type TorchStep = z.infer<typeof stepSchema>;

const loadSchema = z.object({ parameters: z.number(), compiler: z.string().nullable() });

/** Resident bytes: the highest ever, and those of the bare interpreter with PyTorch imported. */
const memorySchema = z.object({ peakBytes: z.number(), baselineBytes: z.number() });

export interface TorchTrainer {
  load(settings: TorchSettings): Promise<z.infer<typeof loadSchema>>;
  step(batch: TorchBatch): Promise<TorchStep>;
  memory(): Promise<z.infer<typeof memorySchema>>;
  stop(): Promise<void>;
}

const script = fileURLToPath(new URL('torchTrain.py', import.meta.url));

/**
 * Starts the server with `threads` intra-op threads and `environment` on top of ours. Needs the
 * packages torch and transformers.
 */
export function startTorchTrainer(
  python: PeerPython,
  threads: number,
  environment: Readonly<Record<string, string>> = {},
): TorchTrainer {
  const server = startLineProcess('PyTorch', python.command, [script], {
    ...environment,
    CFS_PEER_THREADS: String(threads),
    OMP_NUM_THREADS: String(threads),
  });
  return {
    load: (settings) => server.request('load', settings, loadSchema, 300),
    step: (batch) => server.request('step', batch, stepSchema, 900),
    memory: () => server.request('memory', {}, memorySchema, 60),
    stop: () => server.stop(),
  };
}

/** How PyTorch may go about one precision. */
export type TorchChoice = Pick<TorchSettings, 'attention' | 'optimizer'>;

/**
 * The fastest attention, and with it the fastest optimizer, each timed for one step after one to warm
 * up, in a process that is then thrown away so that its memory does not count.
 */
export async function fastestChoice(
  python: PeerPython,
  threads: number,
  settings: Omit<TorchSettings, keyof TorchChoice>,
  batch: TorchBatch,
): Promise<TorchChoice> {
  const trainer = startTorchTrainer(python, threads);
  const timed = async (choice: TorchChoice): Promise<{ choice: TorchChoice; seconds: number }> => {
    await trainer.load({ ...settings, ...choice });
    await trainer.step(batch);
    return { choice, seconds: (await trainer.step(batch)).seconds };
  };
  try {
    const [fused, eager] = [
      await timed({ attention: 'sdpa', optimizer: 'fused' }),
      await timed({ attention: 'eager', optimizer: 'fused' }),
    ];
    let best = fused.seconds <= eager.seconds ? fused : eager;
    const { attention } = best.choice;
    for (const optimizer of ['foreach', 'loop'] as const) {
      const trial = await timed({ attention, optimizer });
      if (trial.seconds < best.seconds) best = trial;
    }
    return best.choice;
  } finally {
    await trainer.stop();
  }
}
