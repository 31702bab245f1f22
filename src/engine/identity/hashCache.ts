/**
 * Hashes of files that were read before, for all runs of a user. Only a shortcut: a cache that is
 * missing, broken or cannot be written costs time and nothing else.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CfsError } from '../../errors.js';
import { isSystemError, writeFileAtomic } from '../../files.js';
import { isSettled } from '../../fileStamp.js';
import { parseJson } from '../../json.js';
import { readTextFile } from '../../reading.js';

export interface HashCache {
  /** The hash of the file with this stamp. */
  get(stamp: string): string | undefined;
  set(stamp: string, hash: string): void;
  /** Writes what is new. */
  save(): void;
}

/** The oldest are forgotten beyond so many. */
const largest = 2000;
const cacheSchema = z.array(z.tuple([z.string(), z.string()]));

export function openHashCache(file = join(cacheFolder(), 'cfs-studio', 'hashes.json')): HashCache {
  const known = read(file);
  const added = new Map<string, string>();
  return {
    get: (stamp) => added.get(stamp) ?? known.get(stamp),
    set: (stamp, hash) => {
      if (isSettled(stamp)) added.set(stamp, hash);
    },
    save: () => {
      if (added.size === 0) return;
      // Read again: another run may have written meanwhile.
      const all = [...new Map([...read(file), ...added])];
      try {
        writeFileAtomic(file, JSON.stringify(all.slice(-largest)));
      } catch (error) {
        if (!(error instanceof CfsError)) throw error;
      }
    },
  };
}

function read(file: string): Map<string, string> {
  try {
    return new Map(cacheSchema.parse(parseJson(readTextFile(file))));
  } catch (error) {
    const isBroken = error instanceof SyntaxError || error instanceof z.ZodError;
    if (!isBroken && !isSystemError(error)) throw error;
    return new Map();
  }
}

/** Where programs of this system keep what they can make again. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  if (process.platform === 'win32' && LOCALAPPDATA) return LOCALAPPDATA;
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Caches')
    : join(homedir(), '.cache');
}
