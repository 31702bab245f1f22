/** Generating the samples a job needs, judging the BOS token they begin with, and choosing among them. */
import { isDeepStrictEqual } from 'node:util';
import { CfsError } from '../errors.js';
import { eventsOf } from '../protocol/history.js';
import type { RunEventOf, SetDiagnostics, SampleRecord } from '../protocol/records.js';
import { brokenLog } from '../runs/chain.js';
import type { RunConfig } from '../runs/configSchema.js';
import { readExclusions } from '../runs/exclusions.js';
import { readEvents, readKlSamples, readSamples, type RunFolder } from '../runs/runFolder.js';
import { progress, warning, type Job } from './context.js';
import { now } from './progress.js';
import { describeSamples, judge, writeSamples } from './sampling.js';

/** `count` samples to train on, described and judged. Throws `RECORD_BROKEN`, `READ_FAILED`. */
export async function prepareSamples(job: Job, count: number): Promise<SampleRecord[]> {
  const { config, run, writer } = job;
  const samples = await completeSamples(
    job,
    knownSamples(job, run.paths.samples, readSamples(run)),
    count,
    { seed: config.seed, settings: config.generation },
    (sample) => writer.appendSamples([sample]),
  );
  if (samples.length > 0 && !job.signal.aborted) {
    // Before anything is measured that would have to wait for a mended list.
    if (settledExclusions(run) === undefined) wantedExclusions(run, samples);
    describeOnce(job, samples);
    await judgeOnce(job, samples);
  }
  return samples;
}

/** The samples of the KL estimate; they are not trained on. Throws `RECORD_BROKEN`, `READ_FAILED`. */
export async function prepareKlSamples(job: Job): Promise<SampleRecord[]> {
  const { config, run, writer } = job;
  return completeSamples(
    job,
    knownSamples(job, run.paths.klSamples, readKlSamples(run)),
    config.evaluation.klSamples,
    { seed: (config.seed ^ 0x5eed) >>> 0, settings: klSettings(config) },
    (sample) => writer.appendKlSamples([sample]),
  );
}

/** The samples in `file`. Throws `RECORD_BROKEN` for one with a token that the model does not have. */
function knownSamples(
  { model }: Job,
  file: string,
  samples: Iterable<SampleRecord>,
): SampleRecord[] {
  const { vocabSize } = model.architecture;
  return Array.from(samples, (sample, at) => {
    const id = [sample.bosId, ...sample.tokens].find((token) => token >= vocabSize);
    if (id === undefined) return sample;
    const place = { file, line: at + 1, field: id === sample.bosId ? 'bosId' : 'tokens' };
    throw brokenLog(place, `The model has no token ${id}: its ids end at ${vocabSize - 1}.`);
  });
}

/** KL(base ‖ model) is an expectation under the base model itself: no temperature, no truncation. */
export function klSettings({ generation }: RunConfig): RunConfig['generation'] {
  return { ...generation, temperature: 1, topK: undefined, topP: undefined, stopAtEos: true };
}

/**
 * The samples that people left in the mix, settled and told when training first begins: a resumed
 * run trains on what it began with, and warns where the list says something else by then. Throws
 * `SAMPLES_ALL_EXCLUDED` and `EXCLUDED_UNKNOWN`.
 */
export function chooseSamples({ run, report }: Job, samples: SampleRecord[]): SampleRecord[] {
  if (samples.length === 0) return samples;
  const settled = settledExclusions(run);
  if (settled && !isListOf(run, settled)) report(warning(ignoredList(run, settled)));
  const excluded = settled ?? wantedExclusions(run, samples);
  const left = samples.filter(({ index }) => !excluded.includes(index));
  if (left.length === 0) throw allExcluded(run);
  if (settled === undefined) report({ type: 'samples_chosen', time: now(), excluded });
  return left;
}

/** The samples that were trained on, in numbers; undefined where there are none. */
export function describeChosen(run: RunFolder): SetDiagnostics | undefined {
  const excluded = settledExclusions(run) ?? [];
  const chosen = byIndex([...readSamples(run)].filter(({ index }) => !excluded.includes(index)));
  return chosen.length === 0 ? undefined : { ...describeSamples(chosen), verdict: judgement(run) };
}

/** The list that people made. Throws `EXCLUDED_UNKNOWN` for numbers that no sample has. */
function wantedExclusions(run: RunFolder, samples: readonly SampleRecord[]): number[] {
  const excluded = readExclusions(run);
  const known = new Set(samples.map(({ index }) => index));
  const unknown = excluded.filter((index) => !known.has(index));
  if (unknown.length > 0) throw unknownExcluded(run, unknown, samples.length);
  return excluded;
}

/** Whether the list that people made says the same, each number once and rising. */
function isListOf(run: RunFolder, excluded: readonly number[]): boolean {
  try {
    return isDeepStrictEqual(readExclusions(run), excluded);
  } catch (error) {
    // It is not used any more, so it stops nothing.
    if (error instanceof CfsError) return false;
    throw error;
  }
}

function settledExclusions(run: RunFolder): number[] | undefined {
  return eventsOf(readEvents(run), 'samples_chosen').at(-1)?.excluded;
}

/** Numbers about the whole set, told once in a run's life. */
function describeOnce({ run, report }: Job, samples: SampleRecord[]): void {
  if (eventsOf(readEvents(run), 'samples_described').length > 0) return;
  report({ type: 'samples_described', time: now(), diagnostics: describeSamples(samples) });
}

/** The verdict on the BOS token, asked for once in a run's life. */
async function judgeOnce({ run, report, ...job }: Job, samples: SampleRecord[]): Promise<void> {
  const { config, base, signal } = job;
  if (judgement(run)) return;
  const { seed, generation: settings } = config;
  const verdict = await base.use((weights) => judge({ ...job, weights, seed, settings }, samples));
  if (signal.aborted) return;
  report({ type: 'samples_judged', time: now(), ...verdict });
  if (verdict.coherent) return;
  report(
    warning({
      code: 'SAMPLES_INCOHERENT',
      message: verdict.reason,
      remedy: 'Read some samples; if they do not read like text, set generation.bos.',
    }),
  );
}

function judgement(run: RunFolder): RunEventOf<'samples_judged'> | undefined {
  return eventsOf(readEvents(run), 'samples_judged').at(-1);
}

function allExcluded(run: RunFolder): CfsError {
  return new CfsError({
    code: 'SAMPLES_ALL_EXCLUDED',
    message: 'All context-free samples are excluded, so there are none to mix in.',
    remedy: 'Include some of them again and resume, or start a run with method sft.',
    place: { file: run.paths.excluded },
  });
}

function unknownExcluded(run: RunFolder, unknown: readonly number[], count: number): CfsError {
  const which = unknown.length === 1 ? 'the number' : 'the numbers';
  return new CfsError({
    code: 'EXCLUDED_UNKNOWN',
    message: `The list of excluded samples has ${which} ${shortList(unknown)}; the samples of this run are 0 to ${count - 1}.`,
    remedy: `Correct the list and resume the run with \`cfs-studio resume ${run.id}\`.`,
    place: { file: run.paths.excluded, field: 'excluded' },
  });
}

function ignoredList(run: RunFolder, settled: readonly number[]): CfsError {
  const kept = settled.length === 0 ? 'with all samples' : `without samples ${shortList(settled)}`;
  return new CfsError({
    code: 'EXCLUDED_IGNORED',
    message: `The list of excluded samples, excluded.json, was changed after training began and is not used: training goes on as it began, ${kept}.`,
    remedy: 'To train without others, start a new run and exclude them before it trains.',
    place: { file: run.paths.excluded },
  });
}

/** The first of many numbers. */
function shortList(numbers: readonly number[]): string {
  const rest = numbers.length - 10;
  return numbers.slice(0, 10).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

async function completeSamples(
  job: Job,
  samples: SampleRecord[],
  count: number,
  how: { seed: number; settings: RunConfig['generation'] },
  keep: (sample: SampleRecord) => void,
): Promise<SampleRecord[]> {
  if (samples.length < count) {
    const { decoders, model, base, signal, report } = job;
    report(progress('generating', samples.length, count));
    await base.use((weights) =>
      writeSamples({
        ...how,
        decoders,
        model,
        weights,
        count,
        done: new Set(samples.map(({ index }) => index)),
        signal,
        onEvent: report,
        onSample: (sample) => {
          keep(sample);
          samples.push(sample);
        },
      }),
    );
  }
  // A refused resume may have left more than this run wants.
  return byIndex(samples.filter(({ index }) => index < count));
}

/** They come as they are completed; training must not depend on that. */
function byIndex(samples: SampleRecord[]): SampleRecord[] {
  return samples.sort((a, b) => a.index - b.index);
}
