/**
 * The commands about runs: start one, resume one, list them, write a report.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { CfsError, formatError } from '../errors.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { formatChange, formatNumber } from '../protocol/format.js';
import type { Until } from '../protocol/engine.js';
import type { RunEventOf, RunResults } from '../protocol/records.js';
import { readRunConfig } from '../runs/config.js';
import { removeRefused } from '../runs/refusedRun.js';
import { writeReport } from '../runs/report.js';
import { createRun, findRun, listRuns, readResults, runState } from '../runs/runFolder.js';
import type { RunFolder } from '../runs/runFolder.js';
import { exitCodes } from './io.js';
import type { Engine, Io } from './io.js';
import { setOff } from '../text.js';
import { createProgress } from './progress.js';
import { formatTable } from './table.js';

export interface CommonOptions {
  json: boolean;
  /** The folder whose `.cfs/runs` is meant, absolute. */
  workspace: string;
}

export interface JobOptions extends CommonOptions {
  /** `samples`: stop when they are generated, so that people can read them first. */
  until: Until;
  /** Read the files of model and tasks again, whatever is known of their hashes. */
  verify: boolean;
}

export async function startRun(io: Io, file: string, options: JobOptions): Promise<number> {
  const config = readRunConfig(resolve(io.cwd, file));
  const { workspace, until } = options;
  const engine = await io.loadEngine();
  // Before there is a folder: a run that cannot begin leaves none.
  const progress = createProgress(io);
  if (!options.json) progress.begin('starting: reading the model and the dataset');
  const checked = await engine
    .checkRunCommand({ config, workspace, until })
    .finally(() => progress.end());
  const run = createRun(workspace, config);
  try {
    return await execute(io, run, { ...options, resume: false, checked });
  } catch (error) {
    removeRefused(run);
    throw error;
  }
}

export async function resumeRun(io: Io, name: string, options: JobOptions): Promise<number> {
  const run = findRun(options.workspace, name);
  if (runState(run) === 'finished') {
    throw new CfsError({
      code: 'RUN_FINISHED',
      message: `The run ${run.id} has finished; there is nothing to resume.`,
      remedy: 'Start a new one with `cfs-studio run`.',
      place: { file: run.folder },
    });
  }
  return execute(io, run, { ...options, resume: true });
}

export function showRuns(io: Io, { json, workspace }: CommonOptions): number {
  const runs = listRuns(workspace);
  if (json) {
    runs.forEach(({ id, folder, state, config, problem }) =>
      printJson(io, {
        ...{ id, folder, state, name: config?.name, method: config?.method },
        problem: problem && errorRecord(problem),
      }),
    );
    return exitCodes.ok;
  }
  if (runs.length === 0)
    io.out('There are no runs yet. Start one with `cfs-studio run run.yaml`.\n');
  else {
    const rows = runs.map(({ id, state, config, problem }) => [
      id,
      state,
      config?.method ?? '',
      [config?.name, problem?.code].filter((part) => part !== undefined).join(', '),
    ]);
    io.out(formatTable([['run', 'state', 'method', 'name'], ...rows]));
    for (const { id, problem } of runs) {
      if (problem) io.out(`\n${setOff(id)}: ${formatError(problem)}\n`);
    }
  }
  return exitCodes.ok;
}

export function makeReport(
  io: Io,
  names: readonly string[],
  { json, workspace, output }: CommonOptions & { output?: string },
): number {
  const [run, ...others] = names.map((name) => findRun(workspace, name));
  if (run === undefined) return exitCodes.usage;
  const file = output === undefined ? run.paths.report : resolve(io.cwd, output);
  const { problems } = writeReport(run, others, file);
  if (problems.length > 0) {
    io.err('The report shows what can be read; these parts are damaged or missing:\n');
  }
  for (const problem of problems) io.err(`${formatError(problem)}\n`);
  if (json) printJson(io, { report: file, problems: problems.map(errorRecord) });
  else io.out(`${file}\n`);
  return exitCodes.ok;
}

export function printJson(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value)}\n`);
}

async function execute(
  io: Io,
  run: RunFolder,
  {
    json,
    until,
    verify,
    resume,
    checked,
  }: JobOptions & { resume: boolean; checked?: Awaited<ReturnType<Engine['checkRunCommand']>> },
): Promise<number> {
  io.workingOn(run.folder);
  const engine = await io.loadEngine();
  const progress = createProgress(io);
  const signal = io.interrupted();
  let stopped: RunEventOf<'run_stopped'> | undefined;
  /** Whether it ends where it was asked to end. */
  const isAtSamples = (): boolean => until === 'samples' && !signal.aborted;
  if (json) printJson(io, { type: 'run', id: run.id, folder: run.folder });
  else io.out(`run ${run.id}\n`);
  try {
    await engine.runJob({
      run,
      resume,
      until,
      verify,
      checked,
      signal,
      onEvent: (event) => {
        stopped = event.type === 'run_stopped' ? event : undefined;
        if (json) printJson(io, event);
        else if (stopped === undefined || !isAtSamples()) progress.show(event);
      },
    });
  } finally {
    progress.end();
  }
  if (stopped) {
    if (!json && isAtSamples()) io.out(describeSampled(stopped));
    if (!json && existsSync(run.paths.samples)) io.out(`samples: ${run.paths.samples}\n`);
    if (!json) io.out(`resume with: cfs-studio resume ${run.id}\n`);
    return isAtSamples() ? exitCodes.ok : exitCodes.interrupted;
  }
  const results = readResults(run);
  if (!json && results !== undefined) io.out(describeResults(results));
  if (!json && existsSync(run.paths.report)) io.out(`report: ${run.paths.report}\n`);
  if (!json && existsSync(run.paths.model)) io.out(`model:  ${run.paths.model}\n`);
  return exitCodes.ok;
}

/** The end that `--until samples` asked for. */
function describeSampled({ step }: RunEventOf<'run_stopped'>): string {
  const trained = step === 0 ? 'nothing was trained yet' : `training is at step ${step}`;
  return `the samples are written; ${trained}\n`;
}

function describeResults({ tasks, downstream, forgetting }: RunResults): string {
  const scores = downstream === undefined ? tasks : [downstream, ...tasks];
  const rows = scores.map(({ task, metric, base, final, change, interval }) => [
    task,
    metric,
    formatNumber(base.score),
    formatNumber(final.score),
    formatChange(change),
    interval === undefined ? '' : `[${interval.map(formatChange).join(', ')}]`,
  ]);
  const head = ['task', 'metric', 'base', 'final', 'change', '95 % interval'];
  const over = forgetting.map(
    ({ unit, averageForgetting, worst }) =>
      `average forgetting ${formatChange(averageForgetting)} (${unit}), ` +
      `worst ${worst.task} ${formatChange(worst.forgetting)}\n`,
  );
  return (rows.length === 0 ? '' : formatTable([head, ...rows], [2, 3, 4])) + over.join('');
}
