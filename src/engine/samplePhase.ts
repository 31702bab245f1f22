/** The phase that writes the samples a job needs, and judges the token they began with. */
import { CfsError } from '../errors.js';
import { eventsOf } from '../protocol/history.js';
import type { RunEventOf, SampleRecord } from '../protocol/records.js';
import type { RunConfig } from '../runs/configSchema.js';
import { readExclusions } from '../runs/exclusions.js';
import { readEvents, readHeldOutSamples, readSamples, type RunFolder } from '../runs/runFolder.js';
import type { ParameterStore } from '../trainer/store.js';
import { phase, warning, type Job } from './context.js';
import { wantedSamples } from './dataset.js';
import { now } from './progress.js';
import { describeSamples, judge, writeSamples } from './sampling.js';

/** The samples for training (none for methods without) and those held out for KL. */
export async function prepareSamples(job: Job, datasetRows: number) {
  const { config, run, writer, store } = job;
  const { generation, method, seed, evaluation } = config;
  const trained = await completeSamples(
    job,
    [...readSamples(run)],
    method === 'sft' ? 0 : wantedSamples(config, datasetRows),
    { seed, settings: generation, weights: store.weights },
    (sample) => writer.appendSamples([sample]),
  );
  if (trained.length > 0 && !job.signal.aborted) {
    describeOnce(job, trained);
    await judgeOnce(job, trained);
  }
  // KL(base ‖ model) is an expectation under the base model itself: no temperature, no truncation.
  const plain = {
    ...generation,
    temperature: 1,
    topK: undefined,
    topP: undefined,
    stopAtEos: true,
  };
  const heldOut = await completeSamples(
    job,
    [...readHeldOutSamples(run)],
    evaluation.klSamples,
    { seed: (seed ^ 0x5eed) >>> 0, settings: plain, weights: store.weights },
    (sample) => writer.appendHeldOutSamples([sample]),
  );
  return { trained, heldOut };
}

/**
 * The samples that people left in the mix, settled and told when training first begins: a resumed
 * run trains on what it began with. Throws `SAMPLES_ALL_EXCLUDED`.
 */
export function chooseSamples({ run, report }: Job, samples: SampleRecord[]): SampleRecord[] {
  if (samples.length === 0) return samples;
  const settled = eventsOf(readEvents(run), 'samples_chosen').at(-1)?.excluded;
  const excluded = settled ?? readExclusions(run);
  const left = samples.filter(({ index }) => !excluded.includes(index));
  if (left.length === 0) throw allExcluded(run);
  if (settled === undefined) report({ type: 'samples_chosen', time: now(), excluded });
  return left;
}

/** Numbers about the whole set, told once in a run's life. */
function describeOnce({ run, report }: Job, samples: SampleRecord[]): void {
  if (eventsOf(readEvents(run), 'samples_described').length > 0) return;
  report({ type: 'samples_described', time: now(), diagnostics: describeSamples(samples) });
}

/** The verdict on the start token, asked for once in a run's life. */
async function judgeOnce({ run, report, ...job }: Job, samples: SampleRecord[]): Promise<void> {
  const { config, store, signal } = job;
  if (judgement(run)) return;
  const { seed, generation: settings } = config;
  const verdict = await judge({ ...job, weights: store.weights, seed, settings }, samples);
  if (signal.aborted) return;
  report({ type: 'samples_judged', time: now(), ...verdict });
  if (verdict.coherent) return;
  report(
    warning({
      code: 'SAMPLES_INCOHERENT',
      message: verdict.reason,
      remedy:
        'Read some samples; if they are not what the model usually writes, set generation.bos.',
    }),
  );
}

export function judgement(run: RunFolder): RunEventOf<'samples_judged'> | undefined {
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

async function completeSamples(
  job: Job,
  samples: SampleRecord[],
  count: number,
  how: { seed: number; settings: RunConfig['generation']; weights: ParameterStore['weights'] },
  keep: (sample: SampleRecord) => void,
): Promise<SampleRecord[]> {
  if (samples.length < count) {
    const { device, model, signal, report } = job;
    report(phase('generating', samples.length, count));
    await writeSamples({
      ...how,
      device,
      model,
      count,
      done: new Set(samples.map(({ index }) => index)),
      signal,
      onEvent: report,
      onSample: (sample) => {
        keep(sample);
        samples.push(sample);
      },
    });
  }
  // They come as they are completed; training must not depend on that.
  return samples.sort((a, b) => a.index - b.index);
}
