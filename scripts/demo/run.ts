/**
 * `npm run demo`: fine-tunes the embedded model twice on the same dataset, standard and with
 * context-free samples, and says what happened to each of its skills. The two jobs are the files
 * `media/demo/standard.yaml` and `cfs.yaml`, run as `cfs-studio run` would.
 */
import { join, relative, resolve } from 'node:path';
import { formatTable } from '../../src/cli/table.js';
import { createProgress } from '../../src/cli/progress.js';
import { runJob } from '../../src/engine/job.js';
import { CfsError, defined, formatError } from '../../src/errors.js';
import { formatChange, formatNumber } from '../../src/protocol/format.js';
import type { RunResults, TaskResult } from '../../src/protocol/records.js';
import { readRunConfig } from '../../src/runs/config.js';
import { writeReport } from '../../src/runs/report.js';
import { createRun, readResults, readSamples, type RunFolder } from '../../src/runs/runFolder.js';
import { demoFolder } from './generate.js';

const started = performance.now();

async function fineTune(file: string): Promise<RunFolder> {
  const run = createRun('.', readRunConfig(join(demoFolder, file)));
  console.log(`\n${run.config.name}  (${relative('.', run.paths.config)})`);
  const progress = createProgress({
    out: (text) => void process.stdout.write(text),
    tty: process.stdout.isTTY,
    columns: process.stdout.columns,
  });
  const signal = new AbortController().signal;
  try {
    await runJob({
      run,
      resume: false,
      until: 'end',
      signal,
      onEvent: (event) => progress.show(event),
    });
  } finally {
    progress.end();
  }
  return run;
}

function resultsOf(run: RunFolder): RunResults {
  return defined(readResults(run), 'results');
}

/** The first metric of each task: what the task is named for. */
function headline(results: RunResults): TaskResult[] {
  const tasks = results.tasks.filter(
    ({ task }, i) => results.tasks.findIndex((other) => other.task === task) === i,
  );
  return results.downstream ? [results.downstream, ...tasks] : tasks;
}

function describe(standard: RunResults, cfs: RunResults): string {
  const withCfs = new Map(headline(cfs).map((result) => [result.task, result]));
  const cell = ({ final, change }: TaskResult): string =>
    `${formatNumber(final.score, 3)} (${formatChange(change)})`;
  const rows = headline(standard).map((result) => [
    result.task.replace(/^demo_/, ''),
    `${result.metric}${result.higherIsBetter ? '' : ' (lower is better)'}`,
    formatNumber(result.base.score, 3),
    cell(result),
    cell(defined(withCfs.get(result.task), result.task)),
  ]);
  const kl = (results: RunResults): string => formatNumber(results.kl?.mean, 3);
  return formatTable(
    [
      ['skill', 'measure', 'base model', 'standard', 'with CFS'],
      ...rows,
      ['drift', 'KL, nats per sample', '0', kl(standard), kl(cfs)],
    ],
    [2, 3, 4],
  );
}

try {
  const standard = await fineTune('standard.yaml');
  const cfs = await fineTune('cfs.yaml');
  const [sample] = readSamples(cfs);
  console.log('\nOne of the context-free samples, written by the base model from its start token:');
  console.log(`  ${(sample?.text ?? '').replaceAll('\n', '\n  ')}`);
  console.log('\nWhat the fine-tunes did (change from the base model in brackets):\n');
  console.log(describe(resultsOf(standard), resultsOf(cfs)));
  const report = writeReport(cfs, [standard], resolve('.cfs', 'demo-report.html'));
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(`Curves, samples and settings: ${relative('.', report)}  (${seconds} s)`);
} catch (error) {
  console.error(error instanceof CfsError ? formatError(error) : error);
  process.exitCode = 1;
}
