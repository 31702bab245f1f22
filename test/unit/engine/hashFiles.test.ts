/** Hashing beside other work, and what is remembered of it. */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { openHashCache } from '../../../src/engine/identity/hashCache.js';
import { hashFiles } from '../../../src/engine/identity/hashFiles.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder } from '../../support/tinyModel.js';

let folder: string;
let cacheFile: string;

beforeEach(() => {
  folder = temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', folder);
  cacheFile = join(folder, 'cfs-studio', 'hashes.json');
});
afterEach(() => vi.unstubAllEnvs());

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

function write(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

async function hashOf(file: string, verify = false): Promise<string | undefined> {
  return (await hashFiles([file], { verify }).hashes).get(file);
}

/** What the cache knows, with every hash replaced by another. */
function falsifyCache(): void {
  const text = readFileSync(cacheFile, 'utf8');
  writeFileSync(cacheFile, text.replaceAll(/"[0-9a-f]{64}"/g, `"${'0'.repeat(64)}"`));
}

it('is SHA-256 of each file, however often it is named', async () => {
  const [a, b] = [write('a', 'apples'), write('b', '')];
  const hashes = await hashFiles([a, b, a], { verify: false }).hashes;
  expect([...hashes]).toEqual([
    [a, sha256('apples')],
    [b, sha256('')],
  ]);
});

it('reads a file once, until it changes or is to be verified', async () => {
  const file = write('file', 'pears');
  await wait(2100); // A file as young as that is read again.
  expect(await hashOf(file)).toBe(sha256('pears'));
  falsifyCache();
  expect(await hashOf(file)).toBe('0'.repeat(64));
  expect(await hashOf(file, true)).toBe(sha256('pears'));

  // The same size and the same time of writing, as `cp -p` or an unpacker leaves them.
  const { atime, mtime } = statSync(file);
  writeFileSync(file, 'plums');
  utimesSync(file, atime, mtime);
  expect(statSync(file).mtime).toEqual(mtime);
  expect(await hashOf(file)).toBe(sha256('plums'));
});

it('does not trust what it knows of a file that had just been written', async () => {
  const file = write('file', 'pears');
  expect(await hashOf(file)).toBe(sha256('pears'));
  expect(() => statSync(cacheFile)).toThrow('ENOENT');
});

it('does without a cache that is broken or cannot be written', () => {
  mkdirSync(cacheFile, { recursive: true });
  const cache = openHashCache(cacheFile);
  cache.set('1:2:3:4:5', 'f'.repeat(64));
  cache.save();
  expect(cache.get('1:2:3:4:5')).toBe('f'.repeat(64));
  const broken = write('broken.json', '{"not": "a cache"');
  expect(openHashCache(broken).get('1:2:3:4:5')).toBeUndefined();
});

it('says which file it could not read', async () => {
  const [here, gone] = [write('here', 'pears'), join(folder, 'gone')];
  const error = await expectError('READ_FAILED', () =>
    hashFiles([here, gone], { verify: false }).hashes.then(() => undefined),
  );
  expect(error.place.file).toBe(gone);
});

it('refuses a file that grows while it is read', async () => {
  const file = write('growing', 'x'.repeat(64 << 20));
  const { hashes } = hashFiles([file], { verify: false });
  appendFileSync(file, 'y');
  const error = await expectError('FILE_CHANGED', () => hashes.then(() => undefined));
  expect(error.place.file).toBe(file);
});
