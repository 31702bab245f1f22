/** What a job warns of without stopping, and that it refuses a model too large for the machine. */
import { writeFileSync } from 'node:fs';
import type * as Os from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { runJob } from '../../../src/engine/job.js';
import { eventsOf } from '../../../src/protocol/history.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { createRun, readEvents, readSamples, type RunFolder } from '../../../src/runs/runFolder.js';
import { expectError } from '../../support/expectError.js';
import { jsonLines, pairs, temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';
import { madeUpSamples } from '../runs/madeUpRun.js';

const machine = vi.hoisted((): { memory?: number } => ({}));
vi.mock('node:os', async (original) => {
  const os = await original<typeof Os>();
  return { ...os, totalmem: () => machine.memory ?? os.totalmem() };
});
afterEach(() => delete machine.memory);

function newRun(workspace: string): RunFolder {
  return createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
}

/** The events of a job that ends when its samples are generated. */
async function eventsUntilSamples(
  workspace: string,
  run = newRun(workspace),
  resume = false,
): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  await runJob({
    run,
    resume,
    until: 'samples',
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
  });
  return events;
}

it('warns of rows that are cut, and of samples that do not read like text', async () => {
  const workspace = writeWorkspace(temporaryFolder());
  const long = { prompt: 'Say it.', completion: ' again'.repeat(200) };
  writeFileSync(join(workspace, 'dataset.jsonl'), jsonLines([...pairs(7), long]));
  const warnings = eventsOf(await eventsUntilSamples(workspace), 'warning');
  // The model's weights are drawn at random, so it is sure of nothing.
  expect(warnings.map(({ code }) => code)).toEqual([
    'DATASET_WARNINGS',
    'LICENSE_MISSING',
    'SAMPLES_INCOHERENT',
  ]);
  expect(warnings[0]?.message).toBe('Rows left out: 0; rows truncated: 1 (1 × ROW_TRUNCATED).');
  expect(warnings[2]?.message).toContain('entropy');
  for (const { remedy } of warnings) expect(remedy).toMatch(/\.$/);
});

it('says what is worth knowing of a run, and of columns that it does not use, once', async () => {
  const workspace = writeWorkspace(temporaryFolder(), {
    generation: { count: undefined, budget: 0.01 },
  });
  const rows = pairs(40).map((row, id) => ({ ...row, id, 'at\nhome': true }));
  writeFileSync(join(workspace, 'dataset.jsonl'), jsonLines(rows));
  const run = newRun(workspace);
  const warnings = eventsOf(await eventsUntilSamples(workspace, run), 'warning');
  expect(warnings.slice(0, 3).map(({ code, message }) => [code, message])).toEqual([
    [
      'DATASET_WARNINGS',
      'dataset.jsonl is read as prompt-completion; these columns are not used: id, at\nhome.',
    ],
    ['LICENSE_MISSING', expect.stringContaining('no license')],
    ['BUDGET_SMALL', expect.stringContaining('1 sample will be generated.')],
  ]);
  const samples = [...readSamples(run)];
  expect(samples).toHaveLength(1);
  const again = await eventsUntilSamples(workspace, run, true);
  expect(eventsOf(again, 'warning').map(({ code }) => code)).not.toContain('LICENSE_MISSING');
  expect(eventsOf(again, 'warning').map(({ code }) => code)).not.toContain('DATASET_WARNINGS');
});

it('refuses a model that does not fit into the memory of the machine', async () => {
  machine.memory = 2 ** 19;
  const workspace = writeWorkspace(temporaryFolder());
  const run = newRun(workspace);
  const error = await expectError('MEMORY_SHORT', () => eventsUntilSamples(workspace, run));
  expect(error.place.field).toBe('model');
  expect(error.message).toContain('for the model alone');
  // Before anything is read or written.
  expect(eventsOf(readEvents(run), 'phase').map(({ phase }) => phase)).toEqual(['loading']);
});

it('asks the whole plan of a run before its first sample', async () => {
  // Room for the model, and less than the runtime takes beside it.
  machine.memory = 2 ** 26;
  const run = newRun(writeWorkspace(temporaryFolder()));
  const error = await expectError('MEMORY_SHORT', () => eventsUntilSamples('', run));
  expect(error.message).toMatch(/needs about .* of the 64 MiB of free memory, while it/);
  expect([...readSamples(run)]).toEqual([]);
});

it('refuses a sample with a token that the model does not have, by its line', async () => {
  const workspace = writeWorkspace(temporaryFolder());
  const run = newRun(workspace);
  const [first, second] = madeUpSamples(['one', 'two']);
  // Without a seal, as an earlier version wrote it.
  writeFileSync(run.paths.samples, jsonLines([first, { ...second, tokens: [1024] }]));
  const { message, place } = await expectError('RECORD_BROKEN', () =>
    eventsUntilSamples(workspace, run),
  );
  expect(message).toContain('no token 1024');
  expect(place).toEqual({ file: run.paths.samples, line: 2, field: 'tokens' });
});
