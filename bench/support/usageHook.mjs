/**
 * Loaded into every Node process of a measured command (`--import`): when one ends it leaves what it
 * has used, as `usage.ts` reads it. Plain JavaScript: it is loaded beside any version of the product.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

/** The highest resident size; what a parent held before it became this process does not count. */
function peakBytes(fallback) {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return line ? Number(line[1]) * 1024 : fallback;
  } catch {
    return fallback;
  }
}

const folder = process.env.CFS_BENCH_USAGE;
if (isMainThread && folder) {
  process.on('exit', () => {
    const used = process.resourceUsage();
    const usage = {
      peakBytes: peakBytes(used.maxRSS * 1024),
      minorFaults: used.minorPageFault,
      majorFaults: used.majorPageFault,
      userSeconds: used.userCPUTime / 1e6,
      systemSeconds: used.systemCPUTime / 1e6,
    };
    writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify(usage));
  });
}
