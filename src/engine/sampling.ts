/** Generating context-free samples, resuming where an earlier try stopped, and judging them. */
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
import type { Device, HeldWeights } from '../runtime/index.js';
import type { Model } from './model.js';
import { createRate, now } from './progress.js';
import type { WritingWork } from './work.js';

export interface SamplingOptions {
  device: Device;
  model: Model;
  /** The base model's weights. */
  weights: HeldWeights;
  count: number;
  /** Numbers of the samples that are there already. */
  done: ReadonlySet<number>;
  seed: number;
  settings: RunConfig['generation'];
  signal: AbortSignal;
  onSample(sample: SampleRecord): void;
  onEvent(event: RunEvent): void;
}

/**
 * How `count` samples are written. The batch does not depend on how many are missing: the last bits
 * of a log-probability depend on its size.
 */
export function samplingShape(
  { maxLength, batchSize }: Pick<RunConfig['generation'], 'maxLength' | 'batchSize'>,
  { architecture }: Model,
  count: number,
): WritingWork {
  return {
    samples: count,
    length: Math.min(maxLength, architecture.contextLength - 1),
    batch: Math.min(batchSize, count),
  };
}

/** Generates the samples that are missing; returns early when the signal is aborted. */
export async function writeSamples(options: SamplingOptions): Promise<void> {
  const { device, model, weights, count, done, seed, settings, signal } = options;
  if (done.size >= count) return;
  const { temperature, topK, topP, stopAtEos } = settings;
  const { batch, length: maxLength } = samplingShape(settings, model, count);
  const decoder = await createDecoder(device, model.architecture, weights, {
    batch,
    sampling: { temperature, topK, topP },
    maxTokens: maxLength + 1,
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
 * Samples compared per BOS token, their longest length, and how many other candidates are tried; see
 * `generator/verdict.ts`.
 */
const judging = { samples: 24, length: 96, candidates: 2 };

/** The candidates for the BOS token that samples are compared with, and how theirs are written. */
function judged(model: Model, settings: RunConfig['generation']) {
  return {
    candidates: model.bos.candidates.slice(0, judging.candidates),
    settings: { ...settings, maxLength: Math.min(settings.maxLength, judging.length) },
  };
}

/** What judging takes. */
export function judgingWork(model: Model, settings: RunConfig['generation']): WritingWork[] {
  const how = judged(model, settings);
  return how.candidates.map(() => samplingShape(how.settings, model, judging.samples));
}

/** Compares a set of samples with samples from the other candidates for the BOS token. */
export async function judge(
  options: Omit<SamplingOptions, 'count' | 'done' | 'onSample' | 'onEvent'>,
  samples: readonly SampleRecord[],
): Promise<SamplesVerdict> {
  const { model } = options;
  const { candidates, settings } = judged(model, options.settings);
  const others: BosSamples[] = [];
  for (const { id, token, reason } of candidates) {
    const drawn: Sample[] = [];
    await writeSamples({
      ...options,
      model: { ...model, bos: { ...model.bos, id, token, reason } },
      settings,
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
