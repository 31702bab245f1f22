/**
 * Who holds a lock, and what can be said of that process from here. A process of this machine is
 * asked by its id and start time; one of another machine or container cannot be asked, and there the
 * heartbeat of its lock must do.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import { z } from 'zod';

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
  return { host: hostname(), boot: bootId(), namespace: namespace(), pid, started: startOf(pid) };
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
  if (isZombie(holder.pid)) return 'ended';
  const started = startOf(holder.pid);
  // The id may have been given to another process since.
  if (holder.started === null || started === null) return 'unknown';
  return holder.started === started ? 'running' : 'ended';
}

let knownBoot: string | null | undefined;
function bootId(): string | null {
  knownBoot ??= unlessMissing(() => {
    if (process.platform === 'linux') {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    }
    if (process.platform === 'darwin') return run('sysctl', '-n', 'kern.bootsessionuuid');
    return null;
  });
  return knownBoot;
}

function namespace(): string | null {
  return unlessMissing(() => readlinkSync('/proc/self/ns/pid'));
}

function startOf(pid: number): string | null {
  return unlessMissing(() => {
    if (process.platform === 'win32') return null;
    if (process.platform !== 'linux') return run('ps', '-o', 'lstart=', '-p', String(pid));
    return statOf(pid)[19] ?? null;
  });
}

/** Whether it has ended and its parent was not told yet, which in a container may last forever. */
function isZombie(pid: number): boolean {
  return unlessMissing(() => statOf(pid)[0] ?? null) === 'Z';
}

/** What Linux says of a process, from its state on. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold spaces.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
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
