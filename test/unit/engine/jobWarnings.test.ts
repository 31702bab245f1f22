/** What a job warns of without stopping, and that it refuses a model too large for the machine. */
import { writeFileSync } from 'node:fs';
import type * as Os from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { runJob } from '../../../src/engine/job.js';
import { eventsOf } from '../../../src/protocol/history.js';
import type { RunEvent } from '../../../src/protocol/records.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { createRun, type RunFolder } from '../../../src/runs/runFolder.js';
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
async function eventsUntilSamples(workspace: string, run = newRun(workspace)): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  await runJob({
    run,
    resume: false,
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
  expect(warnings.map(({ code }) => code)).toEqual(['DATASET_WARNINGS', 'SAMPLES_INCOHERENT']);
  expect(warnings[0]?.message).toContain('1 × ROW_TRUNCATED');
  expect(warnings[1]?.message).toContain('entropy');
  for (const { remedy } of warnings) expect(remedy).toMatch(/\.$/);
});

it('refuses a model that does not fit into the memory of the machine', async () => {
  machine.memory = 2 ** 19;
  const workspace = writeWorkspace(temporaryFolder());
  const error = await expectError('MEMORY_SHORT', () => eventsUntilSamples(workspace));
  expect(error.place.field).toBe('model');
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
