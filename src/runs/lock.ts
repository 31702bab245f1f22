/**
 * One writer per run folder. The lock is a file that names its holder (`lockHolder.ts`), who touches it
 * every few seconds (`heartbeat.ts`). A holder that has ended loses it at once, so that a killed run can
 * be resumed. A holder that cannot be asked, on another machine or in another container, loses it
 * after a long silence; should it wake up, it finds its lock gone before it writes.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  linkSync,
  lstatSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants as system } from 'node:os';
import { dirname } from 'node:path';
import { attempt, CfsError, type ErrorDetails } from '../errors.js';
import { isSystemError, readError, writeError } from '../files.js';
import { parseJsonIfAny } from '../json.js';
import { formatSeconds } from '../protocol/format.js';
import { openFile, readOpenText } from '../reading.js';
import { startHeartbeat } from './heartbeat.js';
import { fateOf, holderSchema, thisProcess, type Holder } from './lockHolder.js';
import { driveOf } from './mount.js';
import { beginVitals, endVitals } from './vitals.js';

/**
 * Twelve beats: a file server may hang for a minute without anybody being dead, and a person who waits
 * for a crashed machine's run should not have to wait longer than for a coffee.
 */
const silenceLimitSeconds = 120;

export interface Lock {
  /** To be called before each write. Throws `RUN_LOCK_LOST` when the lock is not ours any more. */
  check(): void;
  /** Gives the lock back, where it is still ours. */
  release(): void;
  /** A warning for the run's log: the lock was that of a process that cannot be asked. */
  takenOver?: Pick<ErrorDetails, 'code' | 'message' | 'remedy'>;
}

/** A lock as it was found. */
interface Found {
  text: string;
  /** Undefined while it is being written, and after a crash in that moment. */
  holder: Holder | undefined;
  /** Last sign of life, in milliseconds of the file server's clock. */
  beat: number;
}

/**
 * Takes the lock, and keeps the vitals of this process where told to. Throws `RUN_LOCKED` while another
 * process (or this one) holds it, `LOCK_UNSUPPORTED` on a drive that has no locks, `WRITE_FAILED`.
 */
export function takeLock(file: string, vitalsFile?: string): Lock {
  // The id tells two locks of one process apart.
  const text = JSON.stringify({ ...thisProcess(), id: randomUUID() });
  const temporary = `${file}.${randomUUID()}`;
  try {
    writeFileSync(temporary, text);
    const takenOver = place(temporary, file);
    const vitals = vitalsFile === undefined ? undefined : beginVitals(vitalsFile);
    const endHeartbeat = startHeartbeat(file, text, { vitals });
    return {
      check: () => {
        if (!isOurs(file, text)) throw lost(file);
      },
      release: () => {
        endHeartbeat();
        // What cannot be read is not ours to remove.
        const found = attempt(
          () => look(file),
          () => undefined,
        );
        if (found?.text !== text) return;
        // Vitals without a lock say nothing; a lock without them says that a process was killed.
        rmSync(file, { force: true });
        if (vitalsFile !== undefined) endVitals(vitalsFile);
      },
      takenOver,
    };
  } catch (error) {
    throw error instanceof CfsError ? error : lockError(file, error);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Whether somebody holds the lock. Looking must not write, so the silence of a holder that cannot be
 * asked is measured by this machine's clock; `takeLock` goes by the file server's.
 */
export function isLocked(file: string): boolean {
  const found = look(file);
  return found !== undefined && isHeld(found, Date.now());
}

/** Who holds the lock or left it; undefined where there is none, or none that can be read. */
export function findHolder(file: string): Holder | undefined {
  return look(file)?.holder;
}

/** Puts the lock into its place, and says so where it took another's. */
function place(temporary: string, file: string): Lock['takenOver'] {
  const now = statSync(temporary).mtimeMs;
  if (link(temporary, file)) return undefined;
  const found = look(file);
  if (found !== undefined) {
    if (isHeld(found, now)) throw locked(file, found, now);
    removeStale(file, found);
  }
  if (!link(temporary, file)) throw locked(file, look(file), now);
  return found === undefined || fate(found, now) === 'ended' ? undefined : takeover(found, now);
}

function isHeld(found: Found, now: number): boolean {
  const known = fate(found, now);
  if (known !== 'unknown') return known === 'running';
  return silence(found, now) <= silenceLimitSeconds;
}

function fate(found: Found, now: number): ReturnType<typeof fateOf> {
  return found.holder === undefined ? 'unknown' : fateOf(found.holder, silence(found, now));
}

/**
 * Seconds since the last sign of life. One that lies ahead comes from a clock that was wrong then or
 * is now; whoever lives puts it right with the next beat, so it counts like one as far back.
 */
function silence({ beat }: Found, now: number): number {
  return Math.abs(now - beat) / 1000;
}

/** Appears whole or not at all; false where the name is taken. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    // ENOENT: the lock's holder has swept the folder.
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    // Some file systems (exFAT, network drives) have no links; EISDIR is how Windows says so.
    if (code !== 'EPERM' && code !== 'EISDIR' && !isUnsupported(error)) throw error;
    return copyExclusively(from, to);
  }
}

function copyExclusively(from: string, to: string): boolean {
  try {
    copyFileSync(from, to, constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Moves the stale lock away first: another process may have just replaced it by its own, which is then
 * put back. Throws `RUN_LOCKED`.
 */
function removeStale(file: string, stale: Found): void {
  const aside = `${file}.stale-${randomUUID()}`;
  const isSame = (found: Found | undefined): boolean =>
    found?.text === stale.text && found.beat === stale.beat;
  if (!isSame(look(file))) throw locked(file, undefined, stale.beat);
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    if (isSame(look(aside))) return;
    link(aside, file);
    throw locked(file, undefined, stale.beat);
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * A lock that is not there is looked for again: `removeStale` may have moved it for a moment. Throws
 * `READ_FAILED`.
 */
function isOurs(file: string, text: string): boolean {
  for (let attempt = 0; attempt < 4; attempt++) {
    if (attempt > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    const found = look(file);
    if (found !== undefined) return found.text === text;
  }
  return false;
}

/** Throws `READ_FAILED`, also for what is no lock: a folder, a link, a pipe. */
function look(file: string): Found | undefined {
  try {
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!found.isFile()) throw noLock(file);
    return readLock(file);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    if (error.code === 'ENOENT') return undefined;
    throw readError(file, error);
  }
}

function readLock(file: string): Found {
  const descriptor = openFile(file);
  try {
    const text = readOpenText(descriptor);
    return { text, holder: parseHolder(text), beat: fstatSync(descriptor).mtimeMs };
  } finally {
    closeSync(descriptor);
  }
}

function noLock(file: string): CfsError {
  return new CfsError({
    code: 'READ_FAILED',
    message: 'There is something that is no file where the lock of this run should be.',
    remedy: 'Remove it, once no other process is writing this run.',
    place: { file },
  });
}

function parseHolder(text: string): Holder | undefined {
  return holderSchema.safeParse(parseJsonIfAny(text)).data;
}

/** Whether the file system knows no such thing as links, exclusive files or locks. */
function isUnsupported(error: unknown): boolean {
  if (!isSystemError(error)) return false;
  if (['ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'].includes(error.code ?? '')) return true;
  // Node has no name for it.
  return error.errno === -system.errno.ENOLCK;
}

function lockError(file: string, cause: unknown): CfsError {
  if (!isUnsupported(cause)) return writeError(file, cause);
  const drive = driveOf(dirname(file));
  return new CfsError({
    code: 'LOCK_UNSUPPORTED',
    message:
      'The drive of this run cannot lock files, so two processes could write the run at once' +
      `${drive === undefined ? '' : ` (${drive})`}.`,
    remedy: 'Move the run to a folder on a local drive, and start or resume it there.',
    place: { file },
    cause,
  });
}

function locked(file: string, found: Found | undefined, now: number): CfsError {
  const details = { code: 'RUN_LOCKED', place: { file } } as const;
  if (found?.holder === undefined) {
    return new CfsError({
      ...details,
      message: 'This run is being written by another process.',
      remedy: 'Wait a moment, then try again.',
    });
  }
  const minutes = silenceLimitSeconds / 60;
  return new CfsError({
    ...details,
    message: `This run is being written by ${nameOf(found.holder)}; its last sign of life was ${ago(found, now)}.`,
    remedy:
      fate(found, now) === 'running'
        ? 'Stop it, or wait until it ends.'
        : 'Stop it, or wait until it ends. ' +
          `If it has crashed, try again once it has been silent for ${minutes} minutes.`,
  });
}

function takeover(found: Found, now: number): Lock['takenOver'] {
  const who = found.holder === undefined ? 'a process that left no name' : nameOf(found.holder);
  return {
    code: 'RUN_TAKEN_OVER',
    message:
      `This run was taken over from ${who}, ` +
      (found.beat > now
        ? `whose last sign of life was dated ${ago(found, now)}: a clock was wrong.`
        : `which had given no sign of life for ${formatSeconds(silence(found, now))}.`),
    remedy: 'Make sure that it has ended; should it wake up, it stops before it writes again.',
  };
}

function lost(file: string): CfsError {
  const holder = look(file)?.holder;
  return new CfsError({
    code: 'RUN_LOCK_LOST',
    message:
      holder === undefined
        ? 'The lock of this run was removed while the run was under way.'
        : `This run was taken over by ${nameOf(holder)} while this process was not responding.`,
    remedy: 'Resume the run once no other process is writing it.',
    place: { file },
  });
}

/** When the last sign of life was, in words. */
function ago(found: Found, now: number): string {
  const time = formatSeconds(silence(found, now));
  return found.beat > now ? `${time} ahead` : `${time} ago`;
}

function nameOf({ pid, host }: Holder): string {
  return `process ${pid} on ${host}`;
}
