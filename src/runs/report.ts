/**
 * `report.html`: a run, or several runs side by side, as one file that needs no network and no
 * other file, to be kept, mailed and opened in ten years. Everything in it comes from run folders.
 */
import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import { attempt, CfsError, formatPlace } from '../errors.js';
import { writeFileAtomic } from '../files.js';
import { methodLabel } from '../methods/index.js';
import { formatChange, formatNumber, formatSeconds } from '../protocol/format.js';
import { eventsOf, timeWorked, trueHistory } from '../protocol/history.js';
import type { ErrorRecord, RunEvent, RunResults, SampleRecord } from '../protocol/records.js';
import type { RunConfig } from './configSchema.js';
import { escapeHtml, jsonForScript } from './html.js';
import { chartScript, pageScript, pageStyle } from './reportAssets.js';
import { buildCharts } from './reportCharts.js';
import type { Chart } from './reportCharts.js';
import { mostSamples, renderSamples } from './reportSamples.js';
import { key, renderScores, renderSettings, renderTimings } from './reportTables.js';
import { readEvents, readResults, readSamples } from './runFolder.js';
import type { RunFolder } from './runFolder.js';
import { pathShortener, withShortPaths } from './withoutPaths.js';

export interface ReportRun {
  config: RunConfig;
  events: readonly RunEvent[];
  /** The first 50 are shown. */
  samples: readonly SampleRecord[];
  /** Absent while the run has not finished. */
  results?: RunResults;
  /** The folder of the workspace, which paths are told from. */
  root?: string;
  /** What of the run's folder is damaged or cannot be read, which is then left out. */
  problems?: readonly CfsError[];
}

/** The page for one run; with `compare`, its curves and scores beside those of other runs. */
export function renderReport(run: ReportRun, compare: readonly ReportRun[] = []): string {
  const runs = labelled([run, ...compare].map(withoutPaths));
  const title = runs.map(({ label }) => label).join(' and ');
  const charts = buildCharts(runs);
  const samples = runs.find((each) => each.samples.length > 0)?.samples ?? [];
  const policy = [
    "default-src 'none'",
    `style-src ${hashOf(pageStyle)}`,
    `script-src ${hashOf(chartScript)} ${hashOf(pageScript)}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} · CFS Studio</title>
<style>${pageStyle}</style>
</head>
<body>
<main>
<p class="kicker">CFS Studio · fine-tuning report</p>
<h1>${escapeHtml(title)}</h1>
<p class="muted">${escapeHtml(subtitle(runs))}</p>
${renderDamage(runs)}
${runs.length === 1 ? runs.map(renderCards).join('') : renderOverview(runs)}
${renderWarnings(runs)}
<h2>Curves</h2>
${renderCharts(charts)}
${renderScores(runs)}
${renderSamples(samples)}
${renderTimings(runs)}
${renderSettings(runs)}
</main>
<script type="application/json" id="report-data">${jsonForScript({ charts })}</script>
<script>${chartScript}</script>
<script>${pageScript}</script>
</body>
</html>
`;
}

export interface WrittenReport {
  file: string;
  /** What is damaged or cannot be read of the runs' folders; the report shows it too. */
  problems: CfsError[];
}

/** Writes the report of `run` into its folder, or to `file`, with all that can be read. */
export function writeReport(
  run: RunFolder,
  compare: readonly RunFolder[] = [],
  file = run.paths.report,
): WrittenReport {
  const [first, others] = [reportOf(run), compare.map(reportOf)];
  writeFileAtomic(file, renderReport(first, others));
  return { file, problems: [first, ...others].flatMap(({ problems }) => problems) };
}

/** What a report needs, read from the run folder as far as that can be read. */
function reportOf(run: RunFolder): ReportRun & { problems: CfsError[] } {
  const { config, folder } = run;
  // The first of each file: others mostly follow from it.
  const problems = new Map<string, CfsError>();
  const tell = (problem: CfsError): void => {
    const file = problem.place.file ?? folder;
    if (!problems.has(file)) problems.set(file, problem);
  };
  const events = attempt(() => readEvents(run, tell), tell) ?? [];
  const samples: SampleRecord[] = [];
  attempt(() => {
    // To the end, though only the first are shown: damage is damage.
    for (const sample of readSamples(run, tell)) {
      if (samples.length < mostSamples) samples.push(sample);
    }
  }, tell);
  const results = attempt(() => readResults(run), tell);
  return {
    config,
    events,
    samples,
    ...(results && { results }),
    // A run lies in `.cfs/runs` of its workspace.
    root: dirname(dirname(dirname(folder))),
    problems: [...problems.values()],
  };
}

/** Neither settings nor messages of a report say where on a disk something lies. */
function withoutPaths(run: ReportRun): ReportRun {
  const shorten = pathShortener(run.config, run.root);
  const events = run.events.map((event): RunEvent => {
    if (event.type === 'warning') {
      return { ...event, message: shorten(event.message), remedy: shorten(event.remedy) };
    }
    if (event.type !== 'run_failed') return event;
    const { message, remedy } = event.error;
    return {
      ...event,
      error: { ...event.error, message: shorten(message), remedy: shorten(remedy) },
    };
  });
  const problems = run.problems?.map(
    (problem) =>
      new CfsError({
        code: problem.code,
        message: shorten(problem.message),
        remedy: shorten(problem.remedy),
        place: {
          ...problem.place,
          ...(problem.place.file && { file: basename(problem.place.file) }),
        },
      }),
  );
  return { ...run, config: withShortPaths(run.config, run.root), events, problems };
}

interface LabelledRun extends ReportRun {
  label: string;
}

/** Names of their own: the run's name, else also its method, else also a number. */
function labelled(runs: readonly ReportRun[]): LabelledRun[] {
  const isUnique = (labels: string[]): boolean => new Set(labels).size === labels.length;
  const names = runs.map(({ config }) => config.name);
  const withMethod = runs.map(({ config }) => `${config.name} (${methodLabel(config.method)})`);
  const numbered = withMethod.map((name, i) => `${name} ${i + 1}`);
  const labels = [names, withMethod, numbered].find(isUnique) ?? numbered;
  return runs.map((run, i) => ({ ...run, label: labels[i] ?? run.config.name }));
}

function subtitle(runs: readonly LabelledRun[]): string {
  const models = new Set(runs.map(({ config }) => lastPart(config.model)));
  const data = new Set(runs.flatMap(({ config }) => config.dataset.map((s) => lastPart(s.path))));
  const started = runs.flatMap(({ events }) => events.slice(0, 1).map(({ time }) => time));
  const date = started.toSorted()[0]?.slice(0, 10) ?? 'not started';
  return `${[...models].join(', ')} fine-tuned on ${[...data].join(', ')} · ${date}`;
}

/** The facts of one run: as cards when it is alone, as a table row beside others. */
function factsOf(run: LabelledRun): { name: string; value: string; detail: string }[] {
  const { config, events, results } = run;
  const history = trueHistory(events);
  const steps = results?.steps ?? eventsOf(history, 'train_step').at(-1)?.step ?? 0;
  const last = events.at(-1)?.type.replace('run_', '') ?? 'not started';
  const downstream = results?.downstream;
  const kl = results?.kl ?? eventsOf(history, 'evaluation').findLast((event) => event.kl)?.kl;
  const facts = [
    {
      name: 'Method',
      value: methodLabel(config.method),
      detail: `seed ${config.seed}`,
    },
    {
      name: 'Steps',
      value: String(steps),
      detail: results === undefined ? `state: ${last}` : `saved: step ${results.savedStep}`,
    },
  ];
  if (downstream !== undefined) {
    facts.push({
      name: 'Downstream',
      value: formatNumber(downstream.final.score),
      detail: `${downstream.metric}, was ${formatNumber(downstream.base.score)}`,
    });
  }
  for (const { unit, averageForgetting, worst } of results?.forgetting ?? []) {
    facts.push({
      name: `Forgetting (${unit})`,
      value: formatChange(averageForgetting),
      detail: `worst: ${worst.task}, ${formatChange(worst.forgetting)}`,
    });
  }
  if (kl !== undefined) {
    facts.push({
      name: 'KL from base',
      value: formatNumber(kl.mean),
      detail: `± ${formatNumber(kl.stderr)} nats per sample`,
    });
  }
  if (results !== undefined) {
    const { total } = timeWorked(events);
    facts.push({ name: 'Time', value: formatSeconds(total), detail: `on ${results.provider}` });
  }
  return facts;
}

function renderCards(run: LabelledRun): string {
  const cards = factsOf(run).map(
    ({ name, value, detail }) => `<dl class="card"><dt>${escapeHtml(name)}</dt>
<dd>${escapeHtml(value)}<small>${escapeHtml(detail)}</small></dd></dl>`,
  );
  return `<div class="cards">${cards.join('\n')}</div>`;
}

function renderOverview(runs: readonly LabelledRun[]): string {
  const facts = runs.map((run) => new Map(factsOf(run).map((fact) => [fact.name, fact])));
  const names = [...new Set(facts.flatMap((each) => [...each.keys()]))];
  const rows = runs.map(({ label }, style) => {
    const cells = names.map((name) => {
      const fact = facts[style]?.get(name);
      if (fact === undefined) return '<td>–</td>';
      return `<td>${escapeHtml(fact.value)}<br><small>${escapeHtml(fact.detail)}</small></td>`;
    });
    return `<tr><th scope="row">${key(style)}${escapeHtml(label)}</th>${cells.join('')}</tr>`;
  });
  const heads = ['Run', ...names].map((name) => `<th>${escapeHtml(name)}</th>`);
  return `<h2>Overview</h2><div class="panel"><table><thead><tr>${heads.join('')}</tr></thead>
<tbody>${rows.join('\n')}</tbody></table></div>`;
}

/** Before anything else is read: what follows may be incomplete. */
function renderDamage(runs: readonly LabelledRun[]): string {
  const damaged = runs.filter(({ problems = [] }) => problems.length > 0);
  const notices = damaged.map(({ label, problems = [] }) => {
    const lines = problems.map(
      ({ place, message }) => `<p>${escapeHtml(`${formatPlace(place)}: ${message}`)}</p>`,
    );
    const head = `Parts of the folder of the run ${label} are damaged or cannot be read. What can be read is shown.`;
    return `<p><strong>${escapeHtml(head)}</strong></p>${lines.join('')}`;
  });
  return notices.length === 0
    ? ''
    : `<div class="panel warnings damage" role="alert">${notices.join('')}</div>`;
}

function renderWarnings(runs: readonly LabelledRun[]): string {
  const events = runs.flatMap((run) => run.events);
  const warnings = events.flatMap((event): Remark[] => {
    if (event.type === 'run_failed') return [event.error];
    return event.type === 'warning' && event.level !== 'note' ? [event] : [];
  });
  const notes = eventsOf(events, 'warning').filter(({ level }) => level === 'note');
  return renderRemarks('warnings', warnings) + renderRemarks('notes', notes);
}

type Remark = Pick<ErrorRecord, 'message' | 'remedy'>;

/** Each once, however often it was said. */
function renderRemarks(kind: string, said: readonly Remark[]): string {
  if (said.length === 0) return '';
  const lines = new Set(said.map(({ message, remedy }) => `${message} → ${remedy}`));
  const items = [...lines].map((line) => `<p>${escapeHtml(line)}</p>`);
  return `<div class="panel ${kind}">${items.join('')}</div>`;
}

/** Those of single tasks below, in a finer grid. */
function renderCharts(charts: readonly Chart[]): string {
  const figures = charts.map((chart, i) => ({ small: chart.small, html: renderFigure(chart, i) }));
  const grid = (name: string, small: boolean): string => {
    const own = figures.filter((figure) => figure.small === small);
    const html = own.map((figure) => figure.html).join('\n');
    return own.length === 0 ? '' : `<div class="${name}">${html}</div>`;
  };
  return grid('charts', false) + grid('charts small', true);
}

function renderFigure(chart: Chart, index: number): string {
  const about = `${chart.title}, ${chart.note}: ${chart.series.map((s) => s.label).join(', ')}`;
  return `<figure><figcaption>
<h3>${escapeHtml(chart.title)}</h3><p>${escapeHtml(chart.note)}</p></figcaption>
<div class="plot"><canvas id="chart-${index}" role="img" aria-label="${escapeHtml(about)}"></canvas></div>
</figure>`;
}

function hashOf(inlined: string): string {
  return `'sha256-${createHash('sha256').update(inlined).digest('base64')}'`;
}

/** The last name of a path, of either system's. */
function lastPart(path: string): string {
  return path.split(/[\\/]/).findLast((part) => part !== '') ?? path;
}
