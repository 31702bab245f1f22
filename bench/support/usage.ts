/**
 * What a command has used from its start to its end, all Node processes that it started included: a
 * terminal may start itself again with other settings. Works for any version of the product.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { runChild } from './child.js';

const usageSchema = z.object({
  /** Highest resident bytes. */
  peakBytes: z.number(),
  /** Page faults that took memory, and that took the disk. */
  minorFaults: z.number(),
  majorFaults: z.number(),
  /** Processor time. */
  userSeconds: z.number(),
  systemSeconds: z.number(),
});
export type Usage = z.infer<typeof usageSchema>;

/** Of a whole command; of memory, the sum of the peaks of its processes. */
export type CommandUsage = Usage & { seconds: number; processes: number };

const hook = new URL('usageHook.mjs', import.meta.url);

/**
 * Runs Node with `args` and gives each line of its stdout to `onLine`, with the seconds since the
 * command. Throws the end of its stderr when it does not exit with 0.
 */
export async function measureNode(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  onLine: (line: string, seconds: number) => void,
): Promise<CommandUsage> {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-usage-'));
  try {
    const seconds = await runChild('the command', process.execPath, args, {
      environment: {
        ...environment,
        NODE_OPTIONS: `--import ${hook.href}`,
        CFS_BENCH_USAGE: folder,
      },
      onLine: (line, passed) => {
        onLine(line, passed);
        return true;
      },
    });
    const usages = readdirSync(folder).map((name) =>
      usageSchema.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))),
    );
    const sum = (of: keyof Usage): number => usages.reduce((total, usage) => total + usage[of], 0);
    return {
      seconds,
      processes: usages.length,
      peakBytes: sum('peakBytes'),
      minorFaults: sum('minorFaults'),
      majorFaults: sum('majorFaults'),
      userSeconds: sum('userSeconds'),
      systemSeconds: sum('systemSeconds'),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
