/**
 * The commands that need no run: read a few samples, check a dataset, score a model, look at the
 * machine.
 */
import { resolve } from 'node:path';
import { formatPlace } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { formatBytes, formatNumber, formatSeconds } from '../protocol/format.js';
import type { FindingRecord, RunEstimate } from '../protocol/preview.js';
import type { DoctorReport } from '../protocol/providers.js';
import type { BosToken, SampleRecord } from '../protocol/records.js';
import { sourceRole } from '../protocol/sourceRoles.js';
import { readRunConfig, stringifyDataset } from '../runs/config.js';
import type { RunConfig } from '../runs/configSchema.js';
import { setOff } from '../text.js';
import type { ValidateData } from '../engine/commands.js';
import { exitCodes } from './io.js';
import type { Io } from './io.js';
import { printJson } from './jobs.js';
import { createProgress } from './progress.js';
import { formatTable } from './table.js';

export interface GenerateFlags {
  json: boolean;
  count?: number;
  output?: string;
}

export async function generate(io: Io, file: string, flags: GenerateFlags): Promise<number> {
  const config = readRunConfig(resolve(io.cwd, file));
  const engine = await io.loadEngine();
  const progress = createProgress(io);
  const signal = io.interrupted();
  const samples: SampleRecord[] = [];
  const { bos, diagnostics } = await engine
    .generateCommand({
      config,
      count: flags.count,
      signal,
      onEvent: (event) => (flags.json ? printJson(io, event) : progress.show(event)),
      onSample: (sample) => {
        samples.push(sample);
        if (flags.json) printJson(io, { type: 'sample', ...sample });
      },
    })
    .finally(() => progress.end());
  if (flags.output !== undefined) {
    const lines = samples.map((sample) => `${JSON.stringify(sample)}\n`);
    writeFileAtomic(resolve(io.cwd, flags.output), ...lines);
  }
  if (flags.json) printJson(io, { type: 'generated', bos, diagnostics });
  else {
    for (const { index, text, tokens, entropy } of samples) {
      const facts = `${tokens.length} tokens, mean entropy ${formatNumber(entropy, 3)} nats`;
      io.out(`--- sample ${index}: ${facts}\n${text}\n`);
    }
    const { perplexity, distinct2, exactDuplicates, verdict } = diagnostics;
    io.out(
      `${describeStart(bos)}${diagnostics.samples} samples, ${diagnostics.tokens} tokens, ` +
        `perplexity ${formatNumber(perplexity)}, distinct-2 ${formatNumber(distinct2, 3)}, ` +
        `${exactDuplicates} duplicates\n`,
    );
    if (verdict !== undefined) io.out(`${verdict.reason}\n`);
  }
  return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
}

export async function validate(
  io: Io,
  file: string,
  { json, workspace }: { json: boolean; workspace: string },
): Promise<number> {
  const path = resolve(io.cwd, file);
  const config = readRunConfig(path);
  const engine = await io.loadEngine();
  const data = await engine.validateCommand({ config, workspace });
  if (json) printJson(io, data);
  else io.out(describeValidation(data, config, path));
  const { dataset, findings } = data;
  const isRefused = findings.some(({ severity }) => severity === 'error');
  return isRefused || dataset.errors > 0 || dataset.kept === 0 ? exitCodes.failed : exitCodes.ok;
}

export interface EvaluateFlags {
  json: boolean;
  model?: string;
}

export async function evaluate(io: Io, file: string, flags: EvaluateFlags): Promise<number> {
  const config = readRunConfig(resolve(io.cwd, file));
  const model = flags.model === undefined ? config.model : resolve(io.cwd, flags.model);
  const engine = await io.loadEngine();
  const progress = createProgress(io);
  const signal = io.interrupted();
  const data = await engine
    .evaluateCommand({
      config,
      model,
      signal,
      onEvent: (event) => (flags.json ? printJson(io, event) : progress.show(event)),
    })
    .finally(() => progress.end());
  if (flags.json) printJson(io, { type: 'evaluated', model, ...data });
  else {
    const scores = data.downstream === undefined ? data.tasks : [data.downstream, ...data.tasks];
    const rows = scores.map(({ task, metric, score, stderr, n, higherIsBetter }) => [
      task,
      metric,
      formatNumber(score),
      `± ${formatNumber(stderr, 2)}`,
      String(n),
      higherIsBetter ? 'higher is better' : 'lower is better',
    ]);
    io.out(formatTable([['task', 'metric', 'score', '', 'items', ''], ...rows], [2, 4]));
  }
  return signal.aborted ? exitCodes.interrupted : exitCodes.ok;
}

export async function doctor(io: Io, flags: { json: boolean }): Promise<number> {
  const engine = await io.loadEngine();
  const data = await engine.doctorCommand();
  if (flags.json) printJson(io, data);
  else io.out(describeMachine(data));
  return data.providers.some(({ works }) => works) ? exitCodes.ok : exitCodes.failed;
}

function describeValidation(data: ValidateData, config: RunConfig, configFile: string): string {
  const { dataset, preview, estimate, bos, licenses } = data;
  const files = dataset.files.map(({ file, shape, rows, unusedColumns }) => {
    const unused =
      unusedColumns.length === 0 ? '' : `, unused columns: ${unusedColumns.join(', ')}`;
    return `${setOff(`${file}: ${rows} rows, ${shape ?? 'unknown shape'}${unused}`)}\n`;
  });
  const problems = dataset.problems.map(
    ({ severity, code, message, remedy, ...place }) =>
      `${setOff(`${formatPlace(place)}: ${severity} ${code}: ${message}\n  → ${remedy}`)}\n`,
  );
  const listed = dataset.problems.length;
  const more = dataset.errors + dataset.warnings - listed;
  const trained = preview?.sources[0]?.rows ?? dataset.kept;
  const heldOut = dataset.kept - trained;
  return [
    ...files,
    ...problems,
    ...(more > 0 ? [`… and ${more} more problems\n`] : []),
    ...describeColumns(dataset, config, configFile),
    `${dataset.kept} of ${counted(dataset.rows, 'row')} can be used, ${dataset.truncated} truncated` +
      `${heldOut === 0 ? '' : `, ${heldOut} held out`}; ` +
      `${counted(dataset.errors, 'error')}, ${counted(dataset.warnings, 'warning')}\n`,
    ...(bos === undefined ? [] : [describeStart(bos)]),
    ...(licenses.length === 0
      ? []
      : [`${setOff(`license, copied to the model: ${licenses.join(', ')}`)}\n`]),
    ...describeNames(data),
    ...data.findings.map((finding) => describeFinding(finding, configFile)),
    ...(preview === undefined ? [] : [describePreview(preview)]),
    ...(estimate === undefined ? [] : [describeEstimate(estimate)]),
  ].join('');
}

/** What to write into `run.yaml` where the columns of a file do not show what they are. */
function describeColumns(
  { files }: ValidateData['dataset'],
  config: RunConfig,
  configFile: string,
): string[] {
  if (files.every(({ suggestedColumns }) => suggestedColumns === undefined)) return [];
  const dataset = config.dataset.map((source, i) => ({
    ...source,
    columns: files[i]?.suggestedColumns ?? source.columns,
  }));
  const block = stringifyDataset(dataset, configFile).replace(/^(?=.)/gm, '  ');
  return [`in ${configFile}, if these are the columns that are meant:\n${block}`];
}

/** The names of tasks that are not those of their files. */
function describeNames({ tasks }: ValidateData): string[] {
  return tasks
    .filter(({ name, own }) => name !== own)
    .map(({ file, name }) => `${setOff(`${file}: its task is called “${name}” in this run`)}\n`);
}

/** In a file of its own, else at its field of `run.yaml`. */
function describeFinding({ severity, field, error }: FindingRecord, configFile: string): string {
  const { code, message, remedy, place } = error;
  const where = place.file === undefined ? { file: configFile, field } : place;
  return `${setOff(`${formatPlace(where)}: ${severity} ${code}: ${message}\n  → ${remedy}`)}\n`;
}

/** A number with its noun: `1 row`, `2 rows`. */
function counted(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function describeEstimate({ provider, seconds, reason, disk }: RunEstimate): string {
  const parts = (['starting', 'generating', 'training', 'evaluating', 'saving'] as const)
    .map((phase) => `${phase} ${formatSeconds(seconds[phase])}`)
    .join(', ');
  const space = `${formatBytes(disk.needed)} of the ${formatBytes(disk.available)} free on disk`;
  return `about ${formatSeconds(seconds.total)} on ${provider} (${parts}), ${space}\n${reason}\n`;
}

function describePreview(preview: NonNullable<ValidateData['preview']>): string {
  const { sources, steps, epochs } = preview;
  const rows = sources.map((source) => [
    sourceRole(source.role).rows + (source.planned ? ' (planned)' : ''),
    String(source.rows),
    String(source.tokens),
    String(source.supervisedTokens),
    String(source.longest),
    String(source.rowsPerEpoch),
  ]);
  const head = ['source', 'rows', 'tokens', 'supervised', 'longest', 'rows per epoch'];
  const table = formatTable([head, ...rows], [1, 2, 3, 4, 5]);
  return `${table}${counted(steps, 'step')}, ${counted(Number(epochs.toPrecision(3)), 'epoch')}\n`;
}

function describeStart({ token, id, reason }: BosToken): string {
  return `${setOff(`BOS token ${token} (id ${id}): ${reason}`)}\n`;
}

function describeMachine({ versions, system, providers }: DoctorReport): string {
  const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const facts = [
    ...Object.entries(versions),
    ['platform', system.platform],
    ['cpu', `${system.cpu}, ${system.cores} cores`],
    ['memory', `${gib(system.memory)}, ${gib(system.freeMemory)} free`],
  ];
  const checks = providers.map(({ name, works, chosen, milliseconds, reason, remedy }) => [
    name,
    works ? 'works' : 'does not work',
    milliseconds === undefined ? '' : `${formatNumber(milliseconds, 3)} ms per step`,
    works ? (chosen ? 'chosen by auto' : '') : [reason, remedy].filter(Boolean).join(' → '),
  ]);
  return `${formatTable(facts)}\n${formatTable([['provider', '', '', ''], ...checks])}`;
}
