/** A log is read while it grows, is cut off, is replaced or goes away. */
import { appendFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { z } from 'zod';
import type { CfsError } from '../../../src/errors.js';
import { createTailReader, tailJsonLines } from '../../../src/runs/tail.js';
import { jsonLines, temporaryFolder } from '../../support/tinyModel.js';

const schema = z.object({ n: z.int(), text: z.string().optional() });
type Row = z.infer<typeof schema>;

function setUp() {
  const file = join(temporaryFolder(), 'log.jsonl');
  const problems: CfsError[] = [];
  const reader = createTailReader(file, schema, (problem) => problems.push(problem));
  /** What one reading gave: the numbers, and which of its pieces were a first. */
  const read = async (): Promise<{ numbers: number[]; firsts: boolean[] }> => {
    const pieces: { records: Row[]; first: boolean }[] = [];
    await reader.read((records, first) => pieces.push({ records, first }));
    return {
      numbers: pieces.flatMap(({ records }) => records.map(({ n }) => n)),
      firsts: pieces.map(({ first }) => first),
    };
  };
  return { file, problems, reader, read };
}

test('a missing file has no records, and its first ones come when it appears', async () => {
  const { file, read } = setUp();
  expect(await read()).toEqual({ numbers: [], firsts: [true] });
  expect(await read()).toEqual({ numbers: [], firsts: [] });
  writeFileSync(file, jsonLines([{ n: 1 }]));
  expect(await read()).toEqual({ numbers: [1], firsts: [false] });
});

test('a record counts once its newline is written', async () => {
  const { file, read } = setUp();
  writeFileSync(file, '{"n":1}\n{"n":');
  expect((await read()).numbers).toEqual([1]);
  appendFileSync(file, '2}');
  expect((await read()).numbers).toEqual([]);
  appendFileSync(file, '\n{"n":3}\n');
  expect(await read()).toEqual({ numbers: [2, 3], firsts: [false] });
});

test('a rest that a crash left and its writer cut off leaves no trace', async () => {
  const { file, read, problems } = setUp();
  writeFileSync(file, '{"n":1}\n{"n":2,"te');
  expect((await read()).numbers).toEqual([1]);
  truncateSync(file, 8);
  appendFileSync(file, '{"n":3,"text":"longer than what was cut off"}\n');
  expect(await read()).toEqual({ numbers: [3], firsts: [false] });
  expect(problems).toEqual([]);
});

test('a broken last line waits, and is a problem once others follow', async () => {
  const { file, read, problems } = setUp();
  writeFileSync(file, '{"n":1}\n{"n":2,\n');
  expect((await read()).numbers).toEqual([1]);
  expect(problems).toEqual([]);
  appendFileSync(file, '{"n":"no"}\n{"n":4}\n');
  expect((await read()).numbers).toEqual([4]);
  expect(problems.map(({ code, place }) => [code, place])).toEqual([
    ['RECORD_BROKEN', { file, line: 2 }],
    ['RECORD_BROKEN', { file, line: 3, field: 'n' }],
  ]);
});

test('a file that was cut off is read anew', async () => {
  const { file, read } = setUp();
  writeFileSync(file, jsonLines([{ n: 1 }, { n: 2 }, { n: 3 }]));
  await read();
  truncateSync(file, 8);
  expect(await read()).toEqual({ numbers: [1], firsts: [true] });
});

test('a file that was replaced by a longer one is read anew', async () => {
  const { file, read } = setUp();
  writeFileSync(file, jsonLines([{ n: 1 }, { n: 2 }]));
  await read();
  writeFileSync(`${file}.new`, jsonLines([{ n: 7 }, { n: 8 }, { n: 9 }]));
  renameSync(`${file}.new`, file);
  expect(await read()).toEqual({ numbers: [7, 8, 9], firsts: [true] });
});

test('a file that was removed leaves nothing', async () => {
  const { file, read } = setUp();
  writeFileSync(file, jsonLines([{ n: 1 }]));
  await read();
  rmSync(file);
  expect(await read()).toEqual({ numbers: [], firsts: [true] });
  expect(await read()).toEqual({ numbers: [], firsts: [] });
});

test('a large file comes in pieces, others get their turn, and characters stay whole', async () => {
  const { file, reader } = setUp();
  const text = 'ä🙂'.repeat(40);
  const rows = Array.from({ length: 20_000 }, (_, n) => ({ n, text }));
  writeFileSync(file, jsonLines(rows));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  const pieces: Row[][] = [];
  await reader.read((records) => pieces.push(records));
  clearInterval(timer);
  expect(pieces.flat()).toEqual(rows);
  expect(Math.max(...pieces.map((piece) => jsonLines(piece).length))).toBeLessThan(256 * 1024);
  expect(turns).toBeGreaterThan(10);
});

test('a line longer than many pieces is one record', async () => {
  const { file, read } = setUp();
  writeFileSync(file, jsonLines([{ n: 1, text: 'x'.repeat(1_000_000) }, { n: 2 }]));
  expect((await read()).numbers).toEqual([1, 2]);
});

test('an aborted reading gives no more', async () => {
  const { file, reader } = setUp();
  writeFileSync(file, jsonLines(Array.from({ length: 50_000 }, (_, n) => ({ n }))));
  const stop = new AbortController();
  let pieces = 0;
  await reader.read(() => {
    pieces++;
    stop.abort();
  }, stop.signal);
  expect(pieces).toBe(1);
});

test('a tail tells what is written later, until it is disposed', async () => {
  const file = join(temporaryFolder(), 'log.jsonl');
  const taken: number[] = [];
  const take = (rows: Row[]): void => void taken.push(...rows.map(({ n }) => n));
  const tail = tailJsonLines(file, schema, take, (problem) => {
    throw problem;
  });
  writeFileSync(file, jsonLines([{ n: 1 }]));
  await vi.waitFor(() => expect(taken).toEqual([1]), 5000);
  appendFileSync(file, jsonLines([{ n: 2 }]));
  tail.poke();
  await vi.waitFor(() => expect(taken).toEqual([1, 2]), 5000);
  tail.dispose();
  appendFileSync(file, jsonLines([{ n: 3 }]));
  tail.poke();
  await sleep(50);
  expect(taken).toEqual([1, 2]);
});
