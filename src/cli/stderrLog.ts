/**
 * What native libraries write to stderr, past everything of ours: a Vulkan loader complaining that there
 * is no GPU tears a progress line apart and tells people nothing. It is kept in the run's folder, and
 * shown when the process dies. Commands without a run keep it in memory, and in a file only then.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appendToFile } from '../files.js';

export interface StderrLog {
  take(chunk: Buffer): void;
  /** Where it is kept from now on, with what came before. */
  keepIn(file: string): void;
  /** The file it is in, for whoever wants to read all of it; undefined when nothing was written. */
  file(): string | undefined;
  /** The end of it. */
  lastLines(count: number): string[];
}

/** A library that complains at every step must not fill the disk. */
const maxBytes = 4 * 2 ** 20;
const tailBytes = 16 * 2 ** 10;

export function createStderrLog(): StderrLog {
  let place: string | undefined;
  let waiting: Buffer[] = [];
  let tail = Buffer.alloc(0);
  let bytes = 0;

  const write = (): void => {
    if (place === undefined || waiting.length === 0) return;
    try {
      appendToFile(place, Buffer.concat(waiting));
    } catch {
      // The disk is full, or the folder was deleted: the run itself says so where it matters.
    }
    waiting = [];
  };
  return {
    take: (chunk) => {
      tail = Buffer.concat([tail, chunk]).subarray(-tailBytes);
      bytes += chunk.length;
      if (bytes > maxBytes) return;
      waiting.push(chunk);
      write();
    },
    keepIn: (file) => {
      place = file;
      write();
    },
    file: () => {
      if (bytes === 0) return undefined;
      try {
        place ??= join(mkdtempSync(join(tmpdir(), 'cfs-studio-')), 'stderr.log');
      } catch {
        return undefined;
      }
      write();
      return place;
    },
    lastLines: (count) => {
      const lines = tail.toString('utf8').trimEnd().split('\n');
      return lines.filter((line) => line.trim() !== '').slice(-count);
    },
  };
}
