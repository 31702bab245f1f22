/** The part of a job that writes context-free samples, and goes on where an earlier try stopped. */
import { diagnoseSet } from '../generator/diagnostics.js';
import { generate } from '../generator/generate.js';
import type { Sample } from '../generator/samples.js';
import { judgeSamples, type BosSamples } from '../generator/verdict.js';
import { createDecoder } from '../model/decoder.js';
import type {
  RunEvent,
  SampleRecord,
  SamplesVerdict,
  SetDiagnostics,
} from '../protocol/records.js';
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
    // Not by what is missing: the last bits of a log-probability depend on the size of the batch.
    batch: Math.min(settings.batchSize, count),
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

/**
 * Samples compared per start token, their longest length, and how many other start tokens are
 * tried; see `generator/verdict.ts`.
 */
export const judging = { samples: 24, length: 96, candidates: 2 };

/** Holds a set of samples against samples from the other candidates for the start token. */
export async function judge(
  options: Omit<SamplingOptions, 'count' | 'done' | 'onSample' | 'onEvent'>,
  samples: readonly SampleRecord[],
): Promise<SamplesVerdict> {
  const { model, settings } = options;
  const others: BosSamples[] = [];
  for (const { id, token, reason } of model.bos.candidates.slice(0, judging.candidates)) {
    const drawn: Sample[] = [];
    await writeSamples({
      ...options,
      model: { ...model, bos: { ...model.bos, id, token, reason } },
      settings: { ...settings, maxLength: Math.min(settings.maxLength, judging.length) },
      count: judging.samples,
      done: new Set(),
      onSample: (sample) => drawn.push(asSample(sample)),
      onEvent: () => undefined,
    });
    others.push({ tokenId: id, token, samples: drawn });
  }
  const own = samples.slice(0, judging.samples).map(asSample);
  const chosen = { tokenId: model.bos.id, token: model.bos.token, samples: own };
  return judgeSamples(chosen, others, model.architecture.vocabSize);
}

/** Diagnostics of a set, as the run folder records them. */
export function describeSamples(samples: readonly SampleRecord[]): SetDiagnostics {
  return diagnoseSet(samples.map(asSample));
}

function asSample(record: SampleRecord): Sample {
  return { ...record, entropy: record.entropy ?? NaN };
}
