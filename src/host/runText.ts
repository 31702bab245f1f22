/**
 * A run in the words and icons of the tree, the status bar and notifications, and which runs to offer
 * to resume: all that these show and decide, without the editor.
 */
import { basename } from 'node:path';
import { formatPlace } from '../errors.js';
import { formatSeconds } from '../protocol/format.js';
import { methodLabel } from '../methods/index.js';
import type { ErrorRecord } from '../protocol/records.js';
import type { RunInfo } from '../protocol/runInfo.js';
import { phaseWords, stateWords, timeLeft } from '../protocol/runWords.js';

/** Product icon and theme colour of each state. */
export const stateIcons: Record<RunInfo['state'], { icon: string; color: string }> = {
  queued: { icon: 'clock', color: 'descriptionForeground' },
  running: { icon: 'sync~spin', color: 'charts.blue' },
  interrupted: { icon: 'warning', color: 'list.warningForeground' },
  stopped: { icon: 'debug-pause', color: 'charts.orange' },
  finished: { icon: 'pass', color: 'testing.iconPassed' },
  failed: { icon: 'error', color: 'testing.iconFailed' },
};

/** What a run does now: `step 40 of 113, 2 min left`; the phase in words where it has no count. */
export function progressText(run: RunInfo): string {
  const { phase, progress, total } = run;
  if (phase === undefined) return 'starting';
  if (total === 0) return phaseWords[phase].toLowerCase();
  const left = timeLeft(run, inMinutes);
  switch (phase) {
    case 'training':
      return joined(`step ${progress} of ${total}`, left);
    case 'generating':
      return joined(`sample ${progress} of ${total}`, left);
    case 'evaluating':
      return `scoring ${progress} of ${total}`;
    case 'loading':
    case 'preparing':
    case 'starting':
    case 'saving':
      return phaseWords[phase].toLowerCase();
  }
}

function joined(...parts: (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined).join(', ');
}

/** For a notification that is called after the run: `Training: step 40 of 113 (35 %), 2 min left`. */
export function phaseText(run: RunInfo): string {
  const { phase, progress, total } = run;
  if (phase === undefined) return 'Starting…';
  if (total === 0) return `${phaseWords[phase]}…`;
  const share = ` (${Math.floor((100 * progress) / total)} %)`;
  const [count, ...left] = progressText(run).split(', ');
  return `${phaseWords[phase]}: ${[`${count}${share}`, ...left].join(', ')}`;
}

/** Method, dataset and progress, shown beside the name. */
export function describeRun(run: RunInfo): string {
  const method = run.method === undefined ? undefined : methodLabel(run.method);
  const parts = [method, datasetNames(run.datasets), situation(run)];
  return parts.filter((part) => part !== undefined && part !== '').join(' · ');
}

/** The same for a screen reader, which does not see the icon. */
export function speakRun(run: RunInfo): string {
  return [run.name, stateWords[run.state], describeRun(run).replaceAll(' · ', ', ')].join(', ');
}

/** Name and value of what there is to know about a run, for its tooltip. */
export function runFacts(run: RunInfo): [name: string, value: string][] {
  const facts: [string, string | undefined][] = [
    ['State', run.state === 'running' ? progressText(run) : stateWords[run.state].toLowerCase()],
    ['Method', run.method && methodLabel(run.method)],
    ['Base model', run.model],
    ['Dataset', run.datasets.join(', ')],
    ['Started', new Date(run.created).toLocaleString()],
    ['Steps', run.step > 0 ? String(run.step) : undefined],
    ['Time', run.secondsWorked > 0 ? formatSeconds(run.secondsWorked) : undefined],
    ['Speed', run.tokensPerSecond === null ? undefined : speed(run.tokensPerSecond)],
    ['Samples', run.samples > 0 ? run.samples.toLocaleString('en') : undefined],
    ['Checkpoints', run.checkpoints.map((step) => `step ${step}`).join(', ')],
    ['Problem', run.problem && problemText(run.problem)],
  ];
  return facts.flatMap(([name, value]) => (value ? [[name, value]] : []));
}

/** Runs that can be resumed. */
export function canResume({ state }: RunInfo): boolean {
  return state === 'interrupted' || state === 'stopped' || state === 'failed';
}

/**
 * The runs to offer for resuming, in order: those that were under way or waiting when the window
 * went away (`lost`), once their engines have let go of them; otherwise the newest interrupted one.
 * Never one of `offered`.
 */
export function runsToOffer(
  runs: readonly RunInfo[],
  lost: readonly string[],
  offered: ReadonlySet<string>,
): RunInfo[] {
  const open = runs.filter(({ id }) => !offered.has(id));
  const ours = lost.flatMap((id) => open.find((run) => run.id === id) ?? []);
  if (ours.some(({ state }) => state === 'running')) return [];
  const resumable = ours.filter(({ state }) => state === 'interrupted' || state === 'stopped');
  if (resumable.length > 0) return resumable;
  return open.filter(({ state }) => state === 'interrupted').slice(0, 1);
}

function situation(run: RunInfo): string | undefined {
  // Without a method its configuration could not be read; the tooltip says why.
  if (run.method === undefined && run.problem !== undefined) {
    return run.problem.code === 'CONFIG_INVALID' ? 'run.yaml has a mistake' : 'cannot be read';
  }
  const rests = run.state !== 'running' && run.state !== 'failed';
  if (rests && run.problem?.code === 'RECORD_BROKEN') return 'damaged';
  switch (run.state) {
    case 'running':
      return progressText(run);
    case 'queued':
      return 'waiting for another run';
    case 'interrupted':
    case 'stopped': {
      const wasKilled = run.problem?.code === 'PROCESS_KILLED';
      const how = wasKilled ? 'killed' : stateWords[run.state].toLowerCase();
      return run.trained && run.step > 0 ? `${how} at step ${run.step}` : how;
    }
    case 'failed':
      return 'failed';
    case 'finished':
      return run.step === 1 ? '1 step' : `${run.step} steps`;
  }
}

function problemText({ message, remedy, place }: ErrorRecord): string {
  const where = formatPlace(place);
  return [message, ...(where === '' ? [] : [`(${where})`]), remedy].join(' ');
}

function datasetNames(paths: readonly string[]): string | undefined {
  const [first, ...others] = paths.map((path) => basename(path));
  return first === undefined || others.length === 0 ? first : `${first} and ${others.length} more`;
}

function speed(tokensPerSecond: number): string {
  return `${Math.round(tokensPerSecond).toLocaleString('en')} tokens/s`;
}

/** Minutes from one minute on: what is estimated has no seconds then. */
function inMinutes(seconds: number): string {
  if (seconds < 59.5) return `${Math.ceil(seconds)} s`;
  if (seconds < 3570) return `${Math.round(seconds / 60)} min`;
  return formatSeconds(Math.round(seconds / 60) * 60);
}
