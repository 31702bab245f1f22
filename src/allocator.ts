/**
 * How processes that compute ask their system for memory. ONNX Runtime returns a fresh copy of every
 * output, so large blocks are allocated and freed all the time; glibc gives them back to the system at
 * once, and the next allocation is spent on page faults. Kept, they are there again without one.
 * Whoever starts such a process, the terminal or the editor, gives it this environment.
 *
 * Measured with five steps of a model of 110M weights: 44 + 7 s of user and system time, 39 + 2 s with
 * memory that is kept, 44 + 9 s with huge pages (`hugetlb=1`), whose zeroing costs more than they
 * save; the same peak each, as copies are freed at once (`discard.ts`).
 */
import { discard } from './discard.js';
import { touch } from './touch.js';

/** glibc reads it once, when a process starts. */
const variable = 'GLIBC_TUNABLES';
/** No block of its own from the system for large allocations, and no end of the heap given back. */
const kept = [
  { name: 'glibc.malloc.mmap_max', value: '0' },
  { name: 'glibc.malloc.trim_threshold', value: String(2 ** 40) },
];

/**
 * `env` for a process that computes. What the user has set for the same thing stays. Linux only: a
 * libc other than glibc ignores the variable, and macOS and Windows have allocators of their own.
 */
export function computingEnvironment(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): NodeJS.ProcessEnv {
  if (platform !== 'linux') return env;
  const theirs = tunables(env);
  const added = kept.filter(({ name }) => !theirs.some((one) => one.startsWith(`${name}=`)));
  if (added.length === 0) return env;
  const ours = added.map(({ name, value }) => `${name}=${value}`);
  return { ...env, [variable]: [...ours, ...theirs].join(':') };
}

/** What a process found out about its allocator. */
export interface AllocatorFacts {
  /** Whether `GLIBC_TUNABLES` asks for memory to be kept in this process. */
  asked: boolean;
  /** Page faults per MiB of memory that was freed and asked for again: 256 where it was given back. */
  faultsPerMiB: number;
  /** Whether memory is kept, or comes in huge pages, whoever saw to that: it costs little again. */
  cheap: boolean;
}

/** Touches memory, frees it and asks for it again, counting page faults; takes some 20 ms at most. */
export function measureAllocator(env: NodeJS.ProcessEnv = process.env): AllocatorFacts {
  const [mebibyte, touchedMiB] = [2 ** 20, 8];
  const touch = (): number => {
    // Outside of V8's heap, and larger than what glibc keeps anyway (32 MiB).
    const block = Buffer.allocUnsafeSlow(64 * mebibyte);
    const before = process.resourceUsage().minorPageFault;
    for (let at = 0; at < touchedMiB * mebibyte; at += 4096) block[at] = 1;
    const faults = process.resourceUsage().minorPageFault - before;
    discard(block);
    return faults;
  };
  touch();
  const faultsPerMiB = touch() / touchedMiB;
  const set = tunables(env);
  return {
    asked: kept.every(({ name, value }) => set.includes(`${name}=${value}`)),
    faultsPerMiB,
    // Pages of 64 KiB, the largest ordinary ones, take 16; other threads fault a little too.
    cheap: faultsPerMiB < 8,
  };
}

let known: AllocatorFacts | undefined;

/** What `measureAllocator` finds in this process, where that stays as it is. */
export function allocatorFacts(): AllocatorFacts {
  return (known ??= measureAllocator());
}

/**
 * Takes memory that will be asked for in any pieces, while other work goes on and from several
 * threads. Where a process does not keep what it frees, nothing happens.
 */
export async function reserve(bytes: number): Promise<void> {
  const { asked, cheap } = allocatorFacts();
  if (!asked || !cheap) return;
  const block = new Float32Array(Math.ceil(bytes / 4));
  await touch(block);
  discard(block);
}

function tunables(env: NodeJS.ProcessEnv): string[] {
  return (env[variable] ?? '').split(':').filter((tunable) => tunable !== '');
}
