/** What tests of the host's services share: a log that is kept, and programs made up for a test. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { CfsError } from '../../../src/errors.js';
import type { Log } from '../../../src/host/log.js';
import { temporaryFolder } from '../../support/tinyModel.js';

export function keepLog(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  return { log: { info: keep, warn: keep, error: keep }, lines };
}

/** Writes a program; returns its path. */
export function writeProgram(code: string): string {
  const file = join(temporaryFolder(), 'program.mjs');
  writeFileSync(file, code);
  return file;
}

/** Disposes what a test made, the last first. */
export function createCleaner(): <T extends { dispose(): unknown }>(made: T) => T {
  const made: { dispose(): unknown }[] = [];
  afterEach(() => {
    for (const each of made.splice(0).reverse()) each.dispose();
  });
  return (each) => {
    made.push(each);
    return each;
  };
}

/** The code of the `CfsError` that `act` throws. */
export function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CfsError) return error.code;
    throw error;
  }
  throw new Error('nothing was refused');
}
