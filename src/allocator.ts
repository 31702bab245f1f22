/**
 * How processes that compute ask their system for memory. ONNX Runtime returns a fresh copy of every
 * output, so large blocks are allocated and freed all the time; glibc gives them back to the system at
 * once, and most of the next allocation is spent on page faults. With huge pages there are 500 times
 * fewer of them. Whoever starts such a process, the terminal or the editor, gives it this environment.
 */

/** glibc reads it once, when a process starts. */
const variable = 'GLIBC_TUNABLES';
const hugePages = { name: 'glibc.malloc.hugetlb', value: '1' };

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
  if (theirs.some((tunable) => tunable.startsWith(`${hugePages.name}=`))) return env;
  return { ...env, [variable]: [`${hugePages.name}=${hugePages.value}`, ...theirs].join(':') };
}

/** What a process found out about its allocator. */
export interface AllocatorFacts {
  /** Whether `GLIBC_TUNABLES` asks for huge pages in this process. */
  asked: boolean;
  /** Page faults per MiB of fresh memory: 256 with pages of 4 KiB, 0.5 with huge ones. */
  faultsPerMiB: number;
  /** Whether it has been given huge pages, whoever saw to that. */
  hugePages: boolean;
}

/**
 * Touches fresh memory and counts the page faults; takes 1 ms with huge pages and some 20 ms without.
 * The block is larger than any that glibc would serve from memory it has kept (32 MiB), so it is fresh.
 */
export function measureAllocator(env: NodeJS.ProcessEnv = process.env): AllocatorFacts {
  const [mebibyte, touchedMiB] = [2 ** 20, 8];
  // Outside of V8's heap.
  const block = Buffer.allocUnsafeSlow(64 * mebibyte);
  const before = process.resourceUsage().minorPageFault;
  for (let at = 0; at < touchedMiB * mebibyte; at += 4096) block[at] = 1;
  const faults = process.resourceUsage().minorPageFault - before;
  const faultsPerMiB = faults / touchedMiB;
  const asked = tunables(env).includes(`${hugePages.name}=${hugePages.value}`);
  // Pages of 64 KiB, the largest ordinary ones, take 16; other threads fault a little too.
  return { asked, faultsPerMiB, hugePages: process.platform === 'linux' && faultsPerMiB < 8 };
}

function tunables(env: NodeJS.ProcessEnv): string[] {
  return (env[variable] ?? '').split(':').filter((tunable) => tunable !== '');
}
