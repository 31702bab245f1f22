/**
 * The events of a job as people follow them: one status line that moves, on a terminal; a plain line
 * now and then, in a log. Events that say something for good become lines of their own in both.
 */
import { formatChange, formatNumber } from '../protocol/format.js';
import type { Phase, RunEvent, RunEventOf, TaskScore } from '../protocol/records.js';
import type { RunInfo } from '../protocol/runInfo.js';
import { phaseWords, timeLeft } from '../protocol/runWords.js';
import type { Io } from './io.js';
import { setOff, visibleLine } from '../text.js';

export interface Progress {
  show(event: RunEvent): void;
  /** Before there are events: what is being done, in a few words. */
  begin(what: string): void;
  /** Removes the status line. */
  end(): void;
}

/** In a log, a line of the same kind is repeated after so long only. */
const logIntervalMs = 10_000;
const barWidth = 20;

export function createProgress(io: Pick<Io, 'out' | 'redraw' | 'tty' | 'columns'>): Progress {
  let totalSteps = 0;
  /** Whether training has begun, so that its sessions are there. */
  let stepped = false;
  let lastKind = '';
  let lastTime = -Infinity;
  let drawn = false;

  const clear = (): void => {
    if (drawn) io.redraw('');
    drawn = false;
  };
  const line = (text: string): void => {
    clear();
    io.out(`${setOff(text)}\n`);
  };
  const status = (kind: string, text: string, time: string): void => {
    if (io.tty) {
      io.redraw([...visibleLine(text)].slice(0, io.columns - 1).join(''));
      drawn = true;
      return;
    }
    const now = Date.parse(time);
    if (kind === lastKind && now - lastTime < logIntervalMs) return;
    lastKind = kind;
    lastTime = now;
    io.out(`${text}\n`);
  };

  return {
    show: (event) => {
      switch (event.type) {
        case 'phase': {
          const { phase, total } = event;
          if (phase === 'training') totalSteps = total;
          if (total === 0) return status(phase, `${phaseWords[phase].toLowerCase()} …`, event.time);
          const starting = phase === 'generating' || (phase === 'training' && !stepped);
          const text = `${phase} ${bar(event.progress, total)}${starting ? '  starting…' : ''}`;
          return status(phase, text, event.time);
        }
        case 'sample_progress':
          return status('sample', describeSampling(event), event.time);
        case 'train_step':
          stepped = true;
          return status('step', describeStep(event, totalSteps), event.time);
        case 'run_started': {
          const from = event.step === 0 ? '' : `, resuming from step ${event.step}`;
          return line(`computing on ${event.provider}${from}`);
        }
        case 'bos_found':
          return line(`BOS token ${event.token} (id ${event.id}): ${event.reason}`);
        case 'samples_judged':
          // A doubt is a warning of its own.
          return event.coherent ? line(`the samples read like text: ${event.reason}`) : clear();
        case 'evaluation':
          return line(describeEvaluation(event));
        case 'checkpoint':
          return line(`checkpoint at step ${event.step}${event.best ? ', the best so far' : ''}`);
        case 'warning':
          return line(
            `${event.level ?? 'warning'} ${event.code}: ${event.message}\n  → ${event.remedy}`,
          );
        case 'samples_described':
          return;
        case 'samples_chosen': {
          const count = event.excluded.length;
          return count === 0 ? undefined : line(`${count} samples are excluded from the mix`);
        }
        case 'run_finished':
          return line(`finished after step ${event.step}`);
        case 'run_stopped':
          return line(`stopped after step ${event.step}`);
        case 'run_failed':
          // The error itself is printed by whoever catches it.
          return clear();
      }
    },
    begin: (what) => status('begin', `${what} …`, new Date().toISOString()),
    end: clear,
  };
}

/** `#####...............  25 % 100/400` */
function bar(done: number, total: number): string {
  const share = total === 0 ? 0 : Math.min(1, done / total);
  const filled = Math.round(share * barWidth);
  const percent = `${Math.floor(share * 100)}`.padStart(3);
  return `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)} ${percent} % ${done}/${total}`;
}

function describeSampling(event: RunEventOf<'sample_progress'>): string {
  return [
    `generating ${bar(event.samples, event.total)}`,
    `${formatNumber(event.tokens)} tokens`,
    ...speed('generating', event),
  ].join('  ');
}

function describeStep(event: RunEventOf<'train_step'>, total: number): string {
  const parts = Object.entries(event.losses).flatMap(([id, loss]) =>
    loss === null ? [] : [`${id} ${formatNumber(loss, 3)}`],
  );
  const detail = parts.length > 1 ? ` (${parts.join(', ')})` : '';
  const loss =
    event.skipped === true
      ? 'skipped: loss or gradient not finite'
      : `loss ${formatNumber(event.loss, 4)}${detail}`;
  return [
    total === 0 ? `training step ${event.step}` : `training ${bar(event.step, total)}`,
    loss,
    ...speed('training', event),
  ].join('  ');
}

function speed(
  phase: Phase,
  { tokensPerSecond, secondsLeft }: Pick<RunInfo, 'tokensPerSecond' | 'secondsLeft'>,
): string[] {
  return [
    ...(tokensPerSecond === null ? [] : [`${formatNumber(Math.round(tokensPerSecond))} tokens/s`]),
    timeLeft({ phase, secondsLeft }) ?? '',
  ];
}

function describeEvaluation({
  step,
  kind,
  tasks,
  kl,
  downstream,
}: RunEventOf<'evaluation'>): string {
  const scores = [...(downstream === undefined ? [] : [downstream]), ...tasks].map(describeScore);
  const drift = kl === undefined ? [] : [`KL ${formatNumber(kl.mean, 3)}`];
  const what = kind === 'full' ? 'full evaluation' : 'evaluation';
  return `${what} at step ${step}: ${[...scores, ...drift].join(', ')}`;
}

function describeScore({ task, metric, score, change }: TaskScore): string {
  const since = change === undefined ? '' : ` (${formatChange(change)})`;
  return `${task} ${metric} ${formatNumber(score, 3)}${since}`;
}
