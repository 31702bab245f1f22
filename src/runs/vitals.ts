/**
 * What the process of a run last said of itself and of the machine's memory, in `vitals.json`: written
 * when it takes the lock, kept fresh by the heartbeat's thread, removed when it ends by itself. So a
 * file that is left without a living process says how that process was doing when it was killed.
 * Whoever started the process, if still there, adds how it ended.
 */
import { closeSync, constants, rmSync, writeSync } from 'node:fs';
import { totalmem } from 'node:os';
import { z } from 'zod';
import { isSystemError, writeFileAtomic } from '../files.js';
import { parseJson, parseJsonIfAny } from '../json.js';
import { openFile, readOpenText, readTextFile } from '../reading.js';
import { holderSchema, thisProcess, type Holder } from './lockHolder.js';
import { countOomKills, memoryProbes, readProbes, type Probe } from './memoryProbes.js';

const bytes = z.number().optional();

const readingsSchema = z.object({ free: bytes, total: bytes, limit: bytes, used: bytes });

/** How a process ended, as the process that started it saw it. */
const endSchema = z.object({
  time: z.iso.datetime(),
  signal: z.string().nullable(),
  code: z.int().nullable(),
  /** A person asked for it, for example by pressing Ctrl-C twice. */
  asked: z.boolean(),
  oomKills: z.int().optional(),
});
export type ProcessEnd = z.infer<typeof endSchema>;

const vitalsSchema = readingsSchema.extend({
  holder: holderSchema,
  /** Of the counter, when the process began and now. */
  oomKillsBefore: z.int().optional(),
  oomKills: z.int().optional(),
  time: z.iso.datetime(),
  /** Bytes that the process holds. */
  resident: z.number(),
  end: endSchema.optional(),
});
export type Vitals = z.infer<typeof vitalsSchema>;

/**
 * The file has this many bytes, filled up with spaces: it is written over in place, so that a file that
 * was removed meanwhile does not come back.
 */
export const vitalsBytes = 1024;

/** What the heartbeat's thread needs to write the file again. */
export interface VitalsSource {
  file: string;
  /** What stays as it is. */
  fixed: Pick<Vitals, 'holder' | 'oomKillsBefore'>;
  probes: Probe[];
  length: number;
  /** Whether Node can tell what is free. */
  tellsFree: boolean;
}

/** What macOS calls free is what was never used; it hands out far more. */
const tellsFree = process.platform !== 'darwin';

/** Writes the first vitals of this process; undefined where that cannot be done. */
export function beginVitals(file: string): VitalsSource | undefined {
  const probes = memoryProbes();
  const readings = readProbes(probes);
  const fixed = { holder: thisProcess(), oomKillsBefore: readings.oomKills };
  const first: Vitals = {
    ...fixed,
    time: new Date().toISOString(),
    resident: process.memoryUsage.rss(),
    free: tellsFree ? process.availableMemory() : undefined,
    total: totalmem(),
    ...readings,
  };
  try {
    writeFileAtomic(file, text(first));
  } catch {
    // They explain a death; what cannot be written otherwise is told where it matters.
    return undefined;
  }
  return { file, fixed, probes, length: vitalsBytes, tellsFree };
}

export function endVitals(file: string): void {
  rmSync(file, { force: true });
}

/** Undefined where there are none that can be read. */
export function readVitals(file: string): Vitals | undefined {
  try {
    return vitalsSchema.parse(parseJson(readTextFile(file)));
  } catch {
    return undefined;
  }
}

/**
 * Notes how the process `pid` of this machine ended; it must be gone. Does nothing when another has
 * taken the run up meanwhile: its vitals are a file of their own.
 */
export function noteEnd(
  file: string,
  pid: number,
  end: Omit<ProcessEnd, 'time' | 'oomKills'>,
): void {
  let descriptor: number;
  try {
    descriptor = openFile(file, constants.O_RDWR);
  } catch (error) {
    if (isSystemError(error)) return;
    throw error;
  }
  try {
    const found = vitalsSchema.safeParse(parseJsonIfAny(readOpenText(descriptor)));
    if (!found.success || !isOf(found.data.holder, pid)) return;
    const whole = { ...end, time: new Date().toISOString(), oomKills: countOomKills() };
    writeSync(descriptor, text({ ...found.data, end: whole }), 0);
  } catch (error) {
    // A full disk or one that went away: then it stays with what the process said itself.
    if (!isSystemError(error)) throw error;
  } finally {
    closeSync(descriptor);
  }
}

function isOf({ pid, host, namespace }: Holder, wanted: number): boolean {
  const here = thisProcess();
  return pid === wanted && host === here.host && namespace === here.namespace;
}

function text(vitals: Vitals): string {
  return JSON.stringify(vitals).padEnd(vitalsBytes);
}
