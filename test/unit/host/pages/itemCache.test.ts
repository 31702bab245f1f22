import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createItemCache } from '../../../../src/host/pages/itemCache.js';
import type { ItemRecord } from '../../../../src/protocol/records.js';
import { createRun, type RunFolder } from '../../../../src/runs/runFolder.js';
import { madeUpConfig } from '../../runs/madeUpRun.js';
import { countTurns } from '../../../support/turns.js';

let workspace: string;
let run: RunFolder;
beforeEach(() => {
  workspace = mkdtempSync(`${tmpdir()}/items-`);
  run = createRun(workspace, madeUpConfig());
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

function write(count: number): void {
  const items = Array.from({ length: count }, (_, at): ItemRecord => {
    const answer = { correct: at % 2 === 0, answer: 'yes' };
    const prompt = `Question ${at}? `.repeat(40);
    return {
      task: 't',
      metric: 'acc',
      id: `${at}`,
      prompt,
      expected: 'yes',
      base: answer,
      final: answer,
    };
  });
  writeFileSync(run.paths.items, items.map((item) => `${JSON.stringify(item)}\n`).join(''));
}

it('has no items before there is a file, and reads it anew when it changed', async () => {
  const cache = createItemCache();
  expect(await cache.items(run)).toEqual([]);
  write(3);
  const items = await cache.items(run);
  expect(items).toHaveLength(3);
  expect(await cache.items(run)).toBe(items);
  write(5);
  expect(await cache.items(run)).toHaveLength(5);
});

it('tells a broken file each time it is asked', async () => {
  writeFileSync(run.paths.items, 'no items\n{}\n{}\n');
  const cache = createItemCache();
  await expect(cache.items(run)).rejects.toMatchObject({ code: 'RECORD_BROKEN' });
  await expect(cache.items(run)).rejects.toMatchObject({ code: 'RECORD_BROKEN' });
});

it('reads tens of thousands of items without holding up the event loop', async () => {
  write(30_000);
  const { result, turns } = await countTurns(createItemCache().items(run));
  expect(result).toHaveLength(30_000);
  // Looking for the file takes a turn or two; the rest are pauses of the reading.
  expect(turns).toBeGreaterThan(4);
});
