/**
 * The runs of an experiment on disk: found again by their configuration, resumed where they
 * stopped, and made where they are missing. A finished run is never repeated.
 */
import { rmSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { runJob } from '../../src/engine/job.js';
import { CfsError, defined } from '../../src/errors.js';
import type { RunConfig } from '../../src/runs/configSchema.js';
import { createRun, listRuns, openRun, type RunFolder } from '../../src/runs/runFolder.js';
import { comparedMethods, configOf, type ComparedMethod, type Experiment } from './experiment.js';
import { noteMachine } from './machine.js';
import { narrator } from './narrator.js';
import type { FinishedRuns } from './pairs.js';

export interface WantedRun {
  method: ComparedMethod;
  seed: number;
  config: RunConfig;
  /** The run with exactly this configuration, where there is one. */
  run: RunFolder | undefined;
  finished: boolean;
}

/** All runs of the experiment in the order in which they are made: seed by seed, both methods. */
export function wantedRuns(experiment: Experiment): WantedRun[] {
  const known = listRuns(experiment.workspace);
  return experiment.seeds.flatMap((seed) =>
    comparedMethods.map((method) => {
      const config = configOf(experiment, method, seed);
      const same = known.filter((run) => run.config && isSame(run.config, config));
      const found = same.find(({ state }) => state === 'finished') ?? same[0];
      const finished = found?.state === 'finished';
      return { method, seed, config, run: found && openRun(found.folder), finished };
    }),
  );
}

/**
 * Makes or resumes every run that is not finished. False when the signal stopped it before the
 * end. Throws what `runJob` throws.
 */
export async function makeRuns(
  experiment: Experiment,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<boolean> {
  const missing = wantedRuns(experiment).filter(({ finished }) => !finished);
  for (const [index, { config, run: started }] of missing.entries()) {
    const run = started ?? createRun(experiment.workspace, config);
    say(`run ${index + 1} of ${missing.length}: ${config.name} (${run.id})`);
    noteMachine(run);
    const onEvent = narrator({ experiment, runsLeft: missing.length - index, say });
    await runJob({ run, resume: started !== undefined, until: 'end', signal, onEvent });
    if (signal.aborted) return false;
    // Only an unfinished run needs them, and each is three times the model.
    rmSync(run.paths.checkpoints, { recursive: true, force: true });
  }
  return true;
}

/** The runs in pairs. Throws `RUNS_MISSING`. */
export function finishedRuns(experiment: Experiment): FinishedRuns[] {
  const wanted = wantedRuns(experiment);
  const missing = wanted.filter(({ finished }) => !finished).map(({ config }) => config.name);
  if (missing.length > 0) {
    throw new CfsError({
      code: 'RUNS_MISSING',
      message: `There is no finished run with these settings for: ${missing.join(', ')}.`,
      remedy:
        'Leave out --report-only, which makes them, or give the settings they were made with.',
      place: { file: experiment.workspace },
    });
  }
  const runOf = (seed: number, method: string) =>
    defined(wanted.find((each) => each.seed === seed && each.method === method)?.run, 'run');
  return experiment.seeds.map((seed) => ({
    seed,
    runs: { sft: runOf(seed, 'sft'), cfs: runOf(seed, 'cfs') },
  }));
}

/** A file cannot hold a field that is undefined, so neither side's count. */
function isSame(a: RunConfig, b: RunConfig): boolean {
  const plain = (config: RunConfig): unknown => JSON.parse(JSON.stringify(config));
  return isDeepStrictEqual(plain(a), plain(b));
}
