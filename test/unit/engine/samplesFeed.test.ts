import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { chunkSize, createSamplesFeed } from '../../../src/engine/preview/samplesFeed.js';
import type { SampleSummary } from '../../../src/protocol/inspector.js';
import { madeUpSamples } from '../runs/madeUpRun.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'feed-'));
  file = join(folder, 'samples.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function lines(count: number, from = 0): string {
  return madeUpSamples(Array.from({ length: count }, (_, at) => `Sample ${at}.`))
    .map((sample) => `${JSON.stringify({ ...sample, index: sample.index + from })}\n`)
    .join('');
}

it('gives the samples in chunks, then new ones, and drops them when the file is replaced', async () => {
  writeFileSync(file, lines(2 * chunkSize + 10));
  const told: { samples: SampleSummary[]; first: boolean }[] = [];
  let known: SampleSummary[] = [];
  const feed = createSamplesFeed(
    ({ samples, first }) => {
      told.push({ samples, first });
      known = first ? samples : [...known, ...samples];
    },
    (problem) => {
      throw problem;
    },
  );
  const indexed = async (...indices: number[]): Promise<number[]> =>
    (await feed.tokens(file, indices)).map(({ index }) => index);
  feed.follow(file);
  try {
    await vi.waitFor(() => expect(known).toHaveLength(2 * chunkSize + 10), { timeout: 5000 });
    expect(told.map(({ first }) => first).filter(Boolean)).toHaveLength(1);
    expect(Math.max(...told.map(({ samples }) => samples.length))).toBeLessThanOrEqual(chunkSize);
    expect(await indexed(2 * chunkSize + 9, 0)).toEqual([2 * chunkSize + 9, 0]);
    expect(await feed.tokens(`${file}.other`, [0])).toEqual([]);

    appendFileSync(file, lines(3, 1000));
    await vi.waitFor(() => expect(known).toHaveLength(2 * chunkSize + 13), { timeout: 5000 });
    expect(known.at(-1)).toMatchObject({ index: 1002, text: 'Sample 2.' });

    writeFileSync(file, lines(2, 50));
    await vi.waitFor(() => expect(known.map(({ index }) => index)).toEqual([50, 51]), {
      timeout: 5000,
    });
    expect(await indexed(0, 50, 51)).toEqual([50, 51]);
  } finally {
    feed.follow(undefined);
  }
});

it('says at once that a run has no samples yet', async () => {
  const tell = vi.fn();
  const feed = createSamplesFeed(tell, () => undefined);
  feed.follow(file);
  try {
    await vi.waitFor(() => expect(tell).toHaveBeenCalledWith({ file, samples: [], first: true }), {
      timeout: 2000,
    });
  } finally {
    feed.follow(undefined);
  }
});

it('says nothing more of a file once another is followed', async () => {
  const other = join(folder, 'other.jsonl');
  writeFileSync(file, lines(2));
  writeFileSync(other, lines(1, 7));
  const told: [string, number][] = [];
  const feed = createSamplesFeed(
    (now) => told.push([now.file, now.samples.length]),
    () => undefined,
  );
  feed.follow(file);
  await vi.waitFor(() => expect(told).toEqual([[file, 2]]), { timeout: 2000 });
  feed.follow(other);
  appendFileSync(file, lines(1, 2));
  await vi.waitFor(() => expect(told.at(-1)).toEqual([other, 1]), { timeout: 2000 });
  appendFileSync(other, lines(1, 8));
  await vi.waitFor(
    () =>
      expect(told.slice(1)).toEqual([
        [other, 1],
        [other, 1],
      ]),
    { timeout: 2000 },
  );
  feed.follow(undefined);
});
