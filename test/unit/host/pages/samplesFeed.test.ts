import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { chunkSize, followSamples } from '../../../../src/host/pages/samplesFeed.js';
import type { SampleSummary } from '../../../../src/protocol/inspector.js';
import { madeUpSamples } from '../../runs/madeUpRun.js';

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
  const feed = followSamples(
    file,
    (samples, first) => {
      told.push({ samples, first });
      known = first ? samples : [...known, ...samples];
    },
    (problem) => {
      throw problem;
    },
  );
  try {
    await vi.waitFor(() => expect(known).toHaveLength(2 * chunkSize + 10), { timeout: 5000 });
    expect(told.map(({ first }) => first).filter(Boolean)).toHaveLength(1);
    expect(Math.max(...told.map(({ samples }) => samples.length))).toBeLessThanOrEqual(chunkSize);
    expect(feed.index.size).toBe(2 * chunkSize + 10);

    appendFileSync(file, lines(3, 1000));
    await vi.waitFor(() => expect(known).toHaveLength(2 * chunkSize + 13), { timeout: 5000 });
    expect(known.at(-1)).toMatchObject({ index: 1002, text: 'Sample 2.' });

    writeFileSync(file, lines(2, 50));
    await vi.waitFor(() => expect(known.map(({ index }) => index)).toEqual([50, 51]), {
      timeout: 5000,
    });
    expect([...feed.index.keys()]).toEqual([50, 51]);
  } finally {
    feed.dispose();
  }
});

it('says at once that a run has no samples yet', async () => {
  const tell = vi.fn();
  const feed = followSamples(file, tell, () => undefined);
  try {
    await vi.waitFor(() => expect(tell).toHaveBeenCalledWith([], true), { timeout: 2000 });
  } finally {
    feed.dispose();
  }
});
