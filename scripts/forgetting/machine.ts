/** What kind of machine a run was made on; kept in the run folder, since reports are made later. */
import { existsSync, readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../src/files.js';
import type { RunFolder } from '../../src/runs/runFolder.js';

const machineSchema = z.object({
  cpu: z.string(),
  cores: z.int(),
  memoryGiB: z.number(),
  platform: z.string(),
});
export type Machine = z.infer<typeof machineSchema>;

/** Notes this machine in the run's folder. Throws `WRITE_FAILED`. */
export function noteMachine(run: RunFolder): void {
  const processors = cpus();
  const machine: Machine = {
    cpu: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
  };
  writeFileAtomic(fileOf(run), `${JSON.stringify(machine)}\n`);
}

/** The machine that was noted last; undefined for a run that was not made by `npm run results`. */
export function machineOf(run: RunFolder): Machine | undefined {
  const file = fileOf(run);
  return existsSync(file) ? machineSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
}

function fileOf({ folder }: RunFolder): string {
  return join(folder, 'machine.json');
}
