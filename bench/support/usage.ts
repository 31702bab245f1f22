/**
 * What a command has used from its start to its end, all Node processes that it started included: a
 * terminal may start itself again with other settings. Works for any version of the product.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

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
    const env = {
      ...process.env,
      ...environment,
      NODE_OPTIONS: `--import ${hook.href}`,
      CFS_BENCH_USAGE: folder,
    };
    const seconds = await run(args, env, onLine);
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

/** Seconds until the process has ended. */
function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string, seconds: number) => void,
): Promise<number> {
  const began = performance.now();
  const passed = (): number => (performance.now() - began) / 1000;
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  process.once('exit', kill);
  let [rest, log] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line, passed());
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    log = (log + chunk).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.removeListener('exit', kill);
      if (code === 0) resolve(passed());
      else
        reject(new Error(`the command ended (${signal ?? `exit code ${code}`})\n${log.trimEnd()}`));
    });
  });
}
