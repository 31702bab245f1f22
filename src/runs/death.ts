/**
 * Why a process ended that did not end by itself, as far as can be told: from the signal, where whoever
 * started it is still there to see it, from the kernel's count of processes ended for want of memory,
 * and from what the process last said of its memory (`vitals.ts`). The same for terminal and editor, at
 * once and when the run is looked at later.
 */
import { CfsError } from '../errors.js';
import { formatBytes, formatSeconds } from '../protocol/format.js';
import { findHolder, isLocked } from './lock.js';
import { fateOf, thisProcess, type Holder } from './lockHolder.js';
import { countOomKills } from './memoryProbes.js';
import { noteEnd, readVitals, type ProcessEnd, type Vitals } from './vitals.js';

/** Below this share of what there is, memory was short. */
const shortShare = 0.1;

/** What to do, for a run and for a command that works on none. */
const remedies = {
  memory: {
    run:
      'Close other programs, or lower training.maxTokensPerMicroBatch or generation.batchSize in ' +
      'its run.yaml, then resume the run from its last checkpoint.',
    command:
      'Close other programs, or lower training.maxTokensPerMicroBatch or generation.batchSize, ' +
      'then try again.',
  },
  crash: {
    run: 'Resume the run from its last checkpoint. The log has the details.',
    command: 'Try again; if it happens again, report it with what the process wrote last.',
  },
  other: { run: 'Resume the run from its last checkpoint.', command: 'Try again.' },
};

/** What is known of the end of a process; whatever is not known is left out. */
export interface DeathFacts {
  end?: Pick<ProcessEnd, 'signal' | 'code'> | undefined;
  /** Processes that the kernel ended for want of memory, before and after. */
  oomKills?: { before: number | undefined; after: number | undefined } | undefined;
  vitals?: Vitals | undefined;
  /** Who it was, where that is not a matter of course. */
  holder?: Holder | undefined;
  /** The machine was started anew since. */
  restarted?: boolean;
  /** What the process was for. */
  work?: 'run' | 'command';
}

/**
 * Why the process of a run ended which left its lock; undefined while it lives, where it ended by itself
 * and where people ended it.
 */
export function deathOf(paths: { lock: string; vitals: string }): CfsError | undefined {
  const holder = findHolder(paths.lock);
  if (holder === undefined || isLocked(paths.lock)) return undefined;
  const found = readVitals(paths.vitals);
  // Those of an earlier process say nothing of this one.
  const vitals = found && isSame(found.holder, holder) ? found : undefined;
  const end = vitals?.end;
  if (end?.asked === true) return undefined;
  const here = thisProcess();
  return explainDeath({
    end,
    // The counter goes on counting: only whoever saw the process end knows what it was then.
    oomKills: end && { before: vitals?.oomKillsBefore, after: end.oomKills },
    vitals,
    holder,
    restarted:
      holder.host === here.host &&
      holder.boot !== here.boot &&
      fateOf(holder, Infinity) === 'ended',
  });
}

/** What the starter of a process knows of it when it is gone. */
export interface SeenDeath extends Pick<ProcessEnd, 'signal' | 'code'> {
  pid: number | undefined;
  /** The kernel's count when it was started. */
  oomKillsBefore: number | undefined;
}

/**
 * Why a process ended that this one had started, noted for whoever looks at the run later. `paths`: of
 * the run that it worked on, if it had come so far.
 */
export function tellDeath(
  paths: { lock: string; vitals: string } | undefined,
  { pid, signal, code, oomKillsBefore }: SeenDeath,
): CfsError {
  const end = { signal, code };
  if (paths !== undefined && pid !== undefined)
    noteEnd(paths.vitals, pid, { ...end, asked: false });
  const found = paths && readVitals(paths.vitals);
  const vitals = found?.end !== undefined && found.holder.pid === pid ? found : undefined;
  const oomKills = { before: oomKillsBefore, after: countOomKills() };
  return explainDeath({ end, oomKills, vitals, work: paths === undefined ? 'command' : 'run' });
}

/** The error that tells it. */
export function explainDeath(facts: DeathFacts): CfsError {
  const { end, vitals, holder, restarted = false, work = 'run' } = facts;
  if (end !== undefined && !isKill(end)) {
    const how = end.signal ?? `exit code ${end.code ?? 'unknown'}`;
    return new CfsError({
      code: 'ENGINE_DIED',
      message: `The process ended unexpectedly (${how}).`,
      remedy: remedies.crash[work],
    });
  }
  const killed = (message: string, cause: keyof typeof remedies): CfsError =>
    new CfsError({ code: 'PROCESS_KILLED', message, remedy: remedies[cause][work] });

  if (restarted) {
    return killed('The machine went down or was restarted while the process was running.', 'other');
  }
  const { before, after } = facts.oomKills ?? {};
  const counted = before !== undefined && after !== undefined && after > before;
  if (counted || (vitals !== undefined && isShort(vitals))) {
    const likely = counted ? 'because' : 'most likely because';
    const held = vitals === undefined ? '' : `: ${memoryOf(vitals)}`;
    return killed(`The system ended the process, ${likely} memory ran out${held}.`, 'memory');
  }
  const last = vitals === undefined ? '' : ` ${lastWords(vitals)}`;
  if (end !== undefined) {
    const knowsRoom = vitals !== undefined && room(vitals) !== undefined;
    const who = knowsRoom ? '' : ', by the system if memory ran out, or by a person';
    return killed(`The process was ended from outside (SIGKILL)${who}.${last}`, 'other');
  }
  const name = holder === undefined ? '' : ` ${holder.pid} on ${holder.host}`;
  return killed(
    `The process${name} ended without a word: it was killed, or its terminal was closed.${last}`,
    'other',
  );
}

/** A program that was started by a shell reports the signal in its exit code. */
function isKill({ signal, code }: Pick<ProcessEnd, 'signal' | 'code'>): boolean {
  return signal === 'SIGKILL' || (signal === null && code === 137);
}

function isShort(vitals: Vitals): boolean {
  const found = room(vitals);
  return found !== undefined && found.left < shortShare * found.of;
}

/** Of the container where its limit is nearer, else of the machine; undefined where nothing tells it. */
function room({ free, total, limit, used = 0 }: Vitals): { left: number; of: number } | undefined {
  if (limit !== undefined && limit - used < (free ?? Infinity)) {
    return { left: Math.max(0, limit - used), of: limit };
  }
  return free === undefined || total === undefined ? undefined : { left: free, of: total };
}

function lastWords(vitals: Vitals): string {
  const words = memoryOf(vitals);
  return room(vitals) === undefined ? `Its memory: ${words}.` : `Memory was not short: ${words}.`;
}

function memoryOf(vitals: Vitals): string {
  const found = room(vitals);
  const held = `it held ${formatBytes(vitals.resident)}`;
  const reported = `when it last reported${ago(vitals)}`;
  if (found === undefined) return `${held} ${reported}`;
  return `${held}, and ${formatBytes(found.left)} of ${formatBytes(found.of)} were free, ${reported}`;
}

/** How long before its end, where that was seen. */
function ago({ time, end }: Vitals): string {
  if (end === undefined) return '';
  const seconds = (Date.parse(end.time) - Date.parse(time)) / 1000;
  return `, ${formatSeconds(Math.max(0, seconds))} before`;
}

function isSame(a: Holder, b: Holder): boolean {
  return a.pid === b.pid && a.host === b.host && a.started === b.started;
}
