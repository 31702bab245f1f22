/**
 * Who holds a lock, and what can be said of that process from here. A process of this machine is
 * asked by its id and start time; one of another machine or container cannot be asked, and there the
 * heartbeat of its lock must do.
 */
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import { z } from 'zod';
import { readTextFile } from '../reading.js';

export const holderSchema = z.object({
  host: z.string(),
  /** Differs each time a machine starts; null where the system does not say. */
  boot: z.string().nullable().default(null),
  /** The namespace that the process id counts in: each container has its own. Linux only. */
  namespace: z.string().nullable().default(null),
  pid: z.int(),
  /** When the process started, as its system tells it; null where it cannot be asked. */
  started: z.string().nullable(),
});
export type Holder = z.infer<typeof holderSchema>;

export function thisProcess(): Holder {
  const { pid } = process;
  const started = processOf(pid)?.started ?? null;
  return { host: hostname(), boot: bootId(), namespace: namespace(), pid, started };
}

/** What became of a holder whose last sign of life was so many seconds ago. */
export function fateOf(holder: Holder, silentSeconds: number): 'running' | 'ended' | 'unknown' {
  const [boot, space] = [bootId(), namespace()];
  const knowsBoots = holder.boot !== null && boot !== null;
  if (knowsBoots ? holder.boot !== boot : holder.host !== hostname()) {
    // A process of this machine ended when the machine went down. But another machine may have the
    // same name: whoever gave a sign of life since this one started is not of its past.
    const isPast = knowsBoots && holder.host === hostname() && silentSeconds > uptime();
    return isPast ? 'ended' : 'unknown';
  }
  if (holder.namespace !== null && space !== null && holder.namespace !== space) return 'unknown';
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: there is such a process, of another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'ended';
  }
  const found = processOf(holder.pid);
  if (found === undefined) return 'unknown';
  if (found.isDead) return 'ended';
  // The id may have been given to another process since.
  if (holder.started === null) return 'unknown';
  return holder.started === found.started ? 'running' : 'ended';
}

let knownBoot: string | null | undefined;
function bootId(): string | null {
  knownBoot ??= unlessMissing(() => {
    if (process.platform === 'linux') {
      return readTextFile('/proc/sys/kernel/random/boot_id').trim();
    }
    if (process.platform === 'darwin') return run('sysctl', '-n', 'kern.bootsessionuuid');
    return null;
  });
  return knownBoot;
}

function namespace(): string | null {
  return unlessMissing(() => readlinkSync('/proc/self/ns/pid'));
}

interface Process {
  started: string;
  /** It has ended, and its parent has not asked how: a container's first process may never do. */
  isDead: boolean;
}

/** Undefined where the system does not say, or has no such process. */
function processOf(pid: number): Process | undefined {
  const text = unlessMissing(() => {
    if (process.platform === 'win32') return null;
    if (process.platform !== 'linux')
      return run('ps', '-o', 'state=', '-o', 'lstart=', '-p', String(pid));
    const stat = readTextFile(`/proc/${pid}/stat`);
    // The name in parentheses may hold spaces; the start time is the 20th field after it.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${state} ${fields[18]}`;
  });
  const [, state, started] = /^(\S+)\s+(.+)$/.exec(text ?? '') ?? [];
  if (state === undefined || started === undefined) return undefined;
  return { started, isDead: /^[ZX]/.test(state) };
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    // A time of day must be the same for everybody who asks, wherever the machine travels.
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}

/** What a system has no file or program for cannot be told there. */
function unlessMissing(ask: () => string | null): string | null {
  try {
    return ask();
  } catch {
    return null;
  }
}
