/** The part of a job that writes context-free samples, and goes on where an earlier try stopped. */
import { diagnoseSet } from '../generator/diagnostics.js';
import { generate } from '../generator/generate.js';
import { createDecoder } from '../model/decoder.js';
import type { RunEvent, SampleDiagnostics, SampleRecord } from '../protocol/records.js';
import type { RunConfig } from '../runs/configSchema.js';
import type { Device, Held } from '../runtime/index.js';
import type { Model } from './model.js';
import { createRate, now } from './progress.js';

export interface SamplingOptions {
  device: Device;
  model: Model;
  /** The base model's weights. */
  weights: ReadonlyMap<string, Held>;
  count: number;
  /** Numbers of the samples that are there already. */
  done: ReadonlySet<number>;
  seed: number;
  settings: RunConfig['generation'];
  signal: AbortSignal;
  onSample(sample: SampleRecord): void;
  onEvent(event: RunEvent): void;
}

/** Writes the samples that are missing; returns early when the signal is aborted. */
export async function writeSamples(options: SamplingOptions): Promise<void> {
  const { device, model, weights, count, done, seed, settings, signal } = options;
  if (done.size >= count) return;
  const { temperature, topK, topP, stopAtEos } = settings;
  const maxLength = Math.min(settings.maxLength, model.architecture.contextLength - 1);
  const decoder = await createDecoder(device, model.architecture, weights, {
    batch: Math.min(settings.batchSize, count - done.size),
    sampling: { temperature, topK, topP },
    maxTokens: maxLength + 1,
    frozen: true,
  });
  const rate = createRate();
  let [written, tokens] = [done.size, 0];
  try {
    const samples = generate({
      decoder,
      tokenizer: model.tokenizer,
      bosId: model.bos.id,
      eosIds: model.eosIds,
      count,
      skip: done,
      seed,
      maxLength,
      stopAtEos,
      signal,
    });
    for await (const sample of samples) {
      options.onSample(sample);
      written++;
      tokens += sample.tokens.length;
      const { perSecond, secondsLeft } = rate.note(sample.tokens.length, written / count);
      options.onEvent({
        type: 'sample_progress',
        time: now(),
        samples: written,
        total: count,
        tokens,
        tokensPerSecond: perSecond,
        secondsLeft,
      });
    }
  } finally {
    await decoder.release();
  }
}

/** Diagnostics of a set, as the run folder records them. */
export function describeSamples(samples: readonly SampleRecord[]): SampleDiagnostics {
  return diagnoseSet(samples.map((sample) => ({ ...sample, entropy: sample.entropy ?? NaN })));
}
