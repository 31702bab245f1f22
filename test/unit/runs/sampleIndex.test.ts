import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sampleRecordSchema, type SampleRecord } from '../../../src/protocol/records.js';
import { summarizeSample } from '../../../src/generator/summary.js';
import { createRandom } from '../../../src/random.js';
import { readSampleTokens, type SampleIndex } from '../../../src/runs/sampleIndex.js';
import { createTailReader } from '../../../src/runs/tail.js';
import { countTurns } from '../../support/turns.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'samples-'));
  file = join(folder, 'samples.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function sample(index: number, length: number): SampleRecord {
  const random = createRandom(index, 0);
  const tokens = Array.from({ length }, () => Math.floor(random.uniform() * 30_000));
  return {
    index,
    bosId: 0,
    tokens,
    text: tokens.map((token) => `wörd${token}`).join(' '),
    pieces: tokens.map((token) => ` wörd${token}`),
    logprobs: tokens.map(() => -9 * random.uniform()),
    entropy: null,
    stop: 'length',
  };
}

async function indexOf(): Promise<{ index: SampleIndex; seen: number[] }> {
  const index: SampleIndex = new Map();
  const seen: number[] = [];
  const fail = (problem: Error): never => {
    throw problem;
  };
  await createTailReader(file, sampleRecordSchema, fail).read((records, _first, places) => {
    records.forEach((record, at) => {
      const place = places[at];
      if (place) index.set(record.index, place);
      seen.push(summarizeSample(record).index);
    });
  });
  return { index, seen };
}

describe('the samples of a file', () => {
  it('are read again one by one, by their numbers', async () => {
    const samples = [4, 0, 2].map((index) => sample(index, 5));
    writeFileSync(file, samples.map((each) => `${JSON.stringify(each)}\n`).join(''));
    const { index } = await indexOf();
    const tokens = await readSampleTokens(file, index, [2, 9, 4]);
    expect(tokens.map((each) => each.index)).toEqual([2, 4]);
    expect(tokens[0]?.pieces).toEqual(samples[2]?.pieces);
    expect(tokens[1]?.logprobs).toEqual(samples[0]?.logprobs);
  });

  it('are an error where the file was changed', async () => {
    writeFileSync(file, `${JSON.stringify(sample(0, 5))}\n`);
    const { index } = await indexOf();
    writeFileSync(file, `${JSON.stringify(sample(1, 5))}\n`);
    await expect(readSampleTokens(file, index, [0])).rejects.toMatchObject({
      code: 'RECORD_BROKEN',
      place: { file },
    });
    rmSync(file);
    await expect(readSampleTokens(file, index, [0])).rejects.toMatchObject({ code: 'READ_FAILED' });
  });

  it('are indexed by the thousand without holding up the event loop', async () => {
    const count = 5000;
    for (let begin = 0; begin < count; begin += 500) {
      const some = Array.from({ length: 500 }, (_, at) => sample(begin + at, 256));
      appendFileSync(file, some.map((each) => `${JSON.stringify(each)}\n`).join(''));
    }
    const indexing = await countTurns(indexOf());
    const { index, seen } = indexing.result;
    const wanted = Array.from({ length: 200 }, (_, at) => at * 25);
    const reading = await countTurns(readSampleTokens(file, index, wanted));
    expect(seen).toHaveLength(count);
    expect(reading.result).toHaveLength(200);
    expect(indexing.turns).toBeGreaterThan(20);
    expect(reading.turns).toBeGreaterThan(4);
  });
});
