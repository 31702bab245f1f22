/** Generating context-free samples, resuming where an earlier try stopped, and judging them. */
import { diagnoseSet } from '../generator/diagnostics.js';
import { generate, type GenerateOptions, type Written } from '../generator/generate.js';
import type { Sample } from '../generator/samples.js';
import { judgeSamples, type BosSamples } from '../generator/verdict.js';
import type { Decoder, Decoders } from '../model/decoder.js';
import type {
  RunEvent,
  SampleRecord,
  SamplesVerdict,
  SetDiagnostics,
} from '../protocol/records.js';
import type { RunConfig } from '../runs/configSchema.js';
import type { HeldWeights } from '../runtime/index.js';
import type { Model } from './model.js';
import { createRate, now, type Pace } from './progress.js';
import type { Work, WritingWork } from './work.js';

export interface SamplingOptions {
  model: Model;
  /** The base model's weights. */
  weights: HeldWeights;
  decoders: Decoders;
  seed: number;
  settings: RunConfig['generation'];
  signal: AbortSignal;
}

export interface WritingOptions extends SamplingOptions {
  count: number;
  /** Numbers of the samples that are there already. */
  done: ReadonlySet<number>;
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

/** Between samples, progress is told this often, in milliseconds. */
const tellEvery = 1000;

/**
 * Generates the samples that are missing; returns early when the signal is aborted. Progress is told
 * with each sample and, as those of a batch end at about the same time, now and then between.
 */
export async function writeSamples(options: WritingOptions): Promise<void> {
  const { model, count, done } = options;
  if (done.size >= count) return;
  const decoder = await openDecoder(options, count);
  const rate = createRate();
  let pace: Pace = { perSecond: null, secondsLeft: null };
  let [written, tokens, told] = [done.size, 0, performance.now()];
  const ended = { samples: 0, tokens: 0 };
  const tell = (): void => {
    told = performance.now();
    const { perSecond: tokensPerSecond, secondsLeft } = pace;
    const progress = { samples: written, total: count, tokens, tokensPerSecond, secondsLeft };
    options.onEvent({ type: 'sample_progress', time: now(), ...progress });
  };
  try {
    const { length: maxLength } = samplingShape(options.settings, model, count);
    const bosIds = [model.bos.id];
    const onRun = (run: Written): void => {
      tokens += run.tokens;
      // As long as those before; none is longer than the longest.
      const expected = ended.samples > 0 ? ended.tokens / ended.samples : maxLength;
      const left = stepsLeft(run, decoder.batch, expected);
      pace = rate.note(run.tokens, { done: run.steps, left });
      if (performance.now() - told >= tellEvery) tell();
    };
    const what = { decoder, bosIds, count, skip: done, maxLength, onRun };
    for await (const sample of samplesOf(options, what)) {
      options.onSample(sample);
      written++;
      ended.samples++;
      ended.tokens += sample.tokens.length;
      tell();
    }
  } finally {
    decoder.release();
  }
}

/**
 * Steps of the decoder until all samples are written, if each becomes `expected` tokens long: rows
 * work side by side, and whichever ends first takes up the next sample.
 */
export function stepsLeft(
  { drafts, waiting }: Pick<Written, 'drafts' | 'waiting'>,
  batch: number,
  expected: number,
): number {
  const resting = new Array<number>(batch - drafts.length).fill(0);
  // One that is longer than expected may end with any token.
  const ends = [...resting, ...drafts.map((tokens) => Math.max(1, expected - tokens))];
  ends.sort((a, b) => a - b);
  const rounds = Math.floor(waiting / batch);
  const more = waiting % batch;
  const last = ends.at(-1) ?? 0;
  const lastWithMore = more > 0 ? (ends[more - 1] ?? 0) + expected : 0;
  return rounds * expected + Math.max(last, lastWithMore);
}

/** A decoder for `count` samples; where its settings are those of another one, they share sessions. */
function openDecoder(
  { decoders, weights, settings, model }: SamplingOptions,
  count: number,
): Promise<Decoder> {
  const { temperature, topK, topP } = settings;
  const { batch, length } = samplingShape(settings, model, count);
  const sampling = { temperature, topK, topP };
  return decoders.open(weights, { batch, sampling, maxTokens: length + 1 });
}

function samplesOf(
  { model, settings, seed, signal }: SamplingOptions,
  what: Pick<GenerateOptions, 'decoder' | 'bosIds' | 'count' | 'skip' | 'maxLength' | 'onRun'>,
): AsyncIterable<Sample> {
  const { tokenizer, eosIds } = model;
  const { stopAtEos } = settings;
  return generate({ ...what, tokenizer, eosIds, stopAtEos, seed, signal });
}

/**
 * Samples compared per BOS token, at least and at most; their longest length; how many other
 * candidates are tried. See `generator/verdict.ts`.
 */
const judging = { fewest: 4, most: 24, length: 96, candidates: 2 };

/**
 * The other candidates for the BOS token, and how many samples of which length are written from each
 * of them: no more than the samples that they are compared with. None where those are too few.
 */
function judged(model: Model, settings: RunConfig['generation'], samples: number) {
  const candidates = model.bos.candidates.slice(0, judging.candidates);
  const { length } = samplingShape(settings, model, samples);
  const shorter = Math.min(length, judging.length);
  const affordable = Math.floor((samples * length) / (candidates.length * shorter));
  const each = Math.min(judging.most, samples, affordable);
  const isEnough = settings.checkBos && each >= judging.fewest;
  return { candidates: isEnough ? candidates : [], each, length: shorter };
}

/** What so many samples take: writing them, and those that they are judged against. */
export function samplesWork(
  model: Model,
  settings: RunConfig['generation'],
  samples: number,
): Work[] {
  const { candidates, each, length } = judged(model, settings, samples);
  const count = candidates.length * each;
  return [
    { kind: 'write', ...samplingShape(settings, model, samples) },
    ...(count === 0
      ? []
      : [{ kind: 'write' as const, ...samplingShape(settings, model, count), length }]),
  ];
}

/** Compares a set of samples with samples from the other candidates for the BOS token. */
export async function judge(
  options: SamplingOptions,
  samples: readonly SampleRecord[],
): Promise<SamplesVerdict> {
  const { model, settings } = options;
  const { candidates, each, length } = judged(model, settings, samples.length);
  const drawn = new Map<number, Sample[]>(candidates.map(({ id }) => [id, []]));
  const count = candidates.length * each;
  if (count > 0) {
    const decoder = await openDecoder(options, count);
    const bosIds = candidates.map(({ id }) => id);
    try {
      const written = samplesOf(options, { decoder, bosIds, count, maxLength: length });
      for await (const sample of written) drawn.get(sample.bosId)?.push(sample);
    } finally {
      decoder.release();
    }
  }
  const others = candidates.map(({ id, token }): BosSamples => ({
    ...{ tokenId: id, token },
    samples: drawn.get(id) ?? [],
  }));
  const own = samples.slice(0, judging.most).map(asSample);
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
