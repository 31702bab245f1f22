/** Exclusions: kept as a rising list, changed until training begins and no longer. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunEvent } from '../../../src/protocol/records.js';
import { readExclusions, writeExclusions } from '../../../src/runs/exclusions.js';
import { createRun, type RunFolder } from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { madeUpConfig, madeUpEvents, timeAt } from './madeUpRun.js';

let workspace: string;
let run: RunFolder;

beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'cfs-runs-'));
  run = createRun(workspace, madeUpConfig());
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

function write(...events: RunEvent[]): void {
  const writer = openRunWriter(run);
  events.forEach((event) => writer.appendEvent(event));
  writer.close();
}

const withCode = (code: string) => expect.objectContaining({ code }) as Error;

describe('exclusions', () => {
  it('are none where nobody chose, then the last list, each number once and rising', () => {
    expect(readExclusions(run)).toEqual([]);
    writeExclusions(run, [10, 2, 10]);
    expect(readExclusions(run)).toEqual([2, 10]);
    writeExclusions(run, []);
    expect(readExclusions(run)).toEqual([]);
  });

  it('can be changed while samples are generated', () => {
    write(...madeUpEvents().slice(0, 3));
    writeExclusions(run, [1]);
    expect(readExclusions(run)).toEqual([1]);
  });

  it.each(['samples_chosen', 'train_step'])('are settled by %s', (type) => {
    writeExclusions(run, [1]);
    const chosen: RunEvent = { type: 'samples_chosen', time: timeAt(9), excluded: [1] };
    write(...[...madeUpEvents(), chosen].filter((event) => event.type === type).slice(0, 1));
    const before = readFileSync(run.paths.excluded, 'utf8');
    expect(() => writeExclusions(run, [2])).toThrow(withCode('SAMPLES_SETTLED'));
    expect(readFileSync(run.paths.excluded, 'utf8')).toBe(before);
  });

  it.each(['{', '{"excluded":[-1]}', '[]'])('refuses a file of %s', (text) => {
    writeFileSync(run.paths.excluded, text);
    expect(() => readExclusions(run)).toThrow(withCode('RECORD_BROKEN'));
  });
});
