/** What runs do and are, in words: the same in the tree, the status bar and the pages. */
import { formatSeconds } from './format.js';
import type { RunInfo } from './runInfo.js';
import type { Phase } from './records.js';

export const phaseWords: Record<Phase, string> = {
  loading: 'Loading the model',
  preparing: 'Preparing the data',
  starting: 'Reading the weights',
  generating: 'Generating samples',
  training: 'Training',
  evaluating: 'Scoring the tasks',
  saving: 'Saving the model',
};

/**
 * How long a phase still takes, where that can be known at all. A phase whose work has just begun makes
 * sessions first, and the first piece of it says nothing of the next.
 */
export function timeLeft(
  { phase, starting, secondsLeft }: Pick<RunInfo, 'phase' | 'starting' | 'secondsLeft'>,
  inWords: (seconds: number) => string = formatSeconds,
): string | undefined {
  if (phase !== 'generating' && phase !== 'training') return undefined;
  if (starting) return 'starting…';
  return secondsLeft === null ? 'estimating…' : `${inWords(secondsLeft)} left`;
}

export const stateWords: Record<RunInfo['state'], string> = {
  queued: 'Waiting',
  running: 'Running',
  interrupted: 'Interrupted',
  stopped: 'Stopped',
  finished: 'Finished',
  failed: 'Failed',
};

/** A name for each run, by its id; runs of the same name are told apart by when they were made. */
export function runLabels(runs: readonly RunInfo[]): Map<string, string> {
  const count = (text: string, texts: readonly string[]): number =>
    texts.filter((each) => each === text).length;
  const names = runs.map(({ name }) => name);
  const dated = runs.map((run) =>
    count(run.name, names) > 1 ? `${run.name} (${moment(run.created)})` : run.name,
  );
  return new Map(
    runs.map(({ id, name }, i) => {
      const label = dated[i] ?? name;
      return [id, count(label, dated) > 1 ? `${name} (${id})` : label];
    }),
  );
}

/** `22 Nov 19:10`, in local time. */
function moment(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const day = date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
  const time = date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return `${day} ${time}`;
}
