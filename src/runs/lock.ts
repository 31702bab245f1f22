/**
 * One writer per run folder. The lock is a file that names its process; a process that died without
 * removing it (SIGKILL, power cut) is told apart from a living one by process id and start time, so
 * that a killed run can be resumed at once and a reused process id does not block it.
 */
import { execFileSync } from 'node:child_process';
import {
  constants,
  copyFileSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { CfsError } from '../errors.js';
import { writeError } from '../files.js';

const lockSchema = z.object({
  pid: z.int(),
  host: z.string(),
  /** When the process started, as its system tells it; null where it cannot be asked. */
  started: z.string().nullable(),
});
type Lock = z.infer<typeof lockSchema>;

/**
 * Takes the lock; the returned function gives it back. Throws `RUN_LOCKED` while another process
 * (or this one) holds it.
 */
export function takeLock(file: string): () => void {
  const mine: Lock = { pid: process.pid, host: hostname(), started: startOf(process.pid) };
  const temporary = `${file}.${process.pid}`;
  try {
    writeFileSync(temporary, JSON.stringify(mine));
    // A link appears whole or not at all, and fails where the name is taken.
    if (!link(temporary, file)) {
      const holder = readLock(file);
      if (holder !== undefined && isAlive(holder)) throw locked(file, holder);
      removeStale(file, holder);
      if (!link(temporary, file)) throw locked(file, readLock(file));
    }
  } catch (error) {
    throw error instanceof CfsError ? error : writeError(file, error);
  } finally {
    rmSync(temporary, { force: true });
  }
  return () => rmSync(file, { force: true });
}

/** Whether a living process holds the lock. */
export function isLocked(file: string): boolean {
  const holder = readLock(file);
  return holder !== undefined && isAlive(holder);
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST') return false;
    // Some file systems (exFAT, network drives) have no links.
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error;
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

/** Moves the stale lock away first: another process may have just replaced it by its own. */
function removeStale(file: string, stale: Lock | undefined): void {
  const aside = `${file}.stale-${process.pid}`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  const moved = readLock(aside);
  if (JSON.stringify(moved) !== JSON.stringify(stale)) link(aside, file);
  rmSync(aside, { force: true });
}

function readLock(file: string): Lock | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return lockSchema.parse(JSON.parse(text));
  } catch {
    // Not written by us, as locks appear whole: nobody is behind it.
    return undefined;
  }
}

/** A process of another machine cannot be asked and counts as alive. */
function isAlive(lock: Lock): boolean {
  if (lock.host !== hostname()) return true;
  try {
    process.kill(lock.pid, 0);
  } catch (error) {
    // EPERM: there is such a process, of another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const started = startOf(lock.pid);
  return lock.started === null || started === null || lock.started === started;
}

function startOf(pid: number): string | null {
  if (process.platform === 'win32') return null;
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    }
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; the start time is the 20th field after it.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? null : `${boot} ${ticks}`;
  } catch {
    // No /proc or no ps: the process id alone must do.
    return null;
  }
}

function locked(file: string, holder: Lock | undefined): CfsError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
  return new CfsError({
    code: 'RUN_LOCKED',
    message: `This run is being written by ${who}.`,
    remedy: 'Stop it, or wait until it ends; delete this file if that process no longer exists.',
    place: { file },
  });
}
