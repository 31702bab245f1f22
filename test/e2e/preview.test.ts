/** The preview process as the editor starts it: the bundle, forked, asked over IPC. */
import { fork, type ChildProcess } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import type { CfsError } from '../../src/errors.js';
import type { SampleSummary } from '../../src/protocol/inspector.js';
import { previewContract, previewHostContract } from '../../src/protocol/preview.js';
import { createRpc } from '../../src/protocol/rpc.js';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun } from '../../src/runs/runFolder.js';
import { madeUpSamples } from '../unit/runs/madeUpRun.js';
import { jsonLines, pairs, temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const workspace = writeWorkspace(temporaryFolder());
const config = readRunConfig(join(workspace, 'run.yaml'));
/** Long enough to be interrupted while it is read. */
const long = join(workspace, 'long.jsonl');
writeFileSync(long, jsonLines(pairs(20_000)));
const longConfig = { ...config, dataset: [{ path: long }] };

const children: ChildProcess[] = [];
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));

function startPreview() {
  const child = fork(join(inject('bundles'), 'preview.js'), [], { stdio: 'pipe' });
  children.push(child);
  const reading: { file: string; rows: number; at: number }[] = [];
  const samples: { file: string; first: boolean; samples: SampleSummary[] }[] = [];
  const problems: CfsError[] = [];
  let heard: (() => void) | undefined;
  let err = '';
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const rpc = createRpc({
    endpoint: {
      post: (message) => child.send(message as object),
      listen: (receive) => {
        child.on('message', receive);
        return () => child.off('message', receive);
      },
    },
    mine: previewHostContract,
    theirs: previewContract,
    handlers: {},
    listeners: {
      reading: (progress) => {
        reading.push({ ...progress, at: performance.now() });
        heard?.();
      },
      samples: (told) => samples.push(told),
    },
    onProblem: (problem) => problems.push(problem),
  });
  return {
    child,
    rpc,
    reading,
    samples,
    problems,
    preview: (data: object) =>
      rpc.request('preview', { config: { ...data } }, { timeoutMs: 100_000 }),
    /** Resolves at the next word of a reading. */
    nextReading: () => new Promise<void>((resolve) => (heard = resolve)),
    ended: new Promise<{ code: number | null; err: string }>((resolve) =>
      child.on('exit', (code) => setImmediate(() => resolve({ code, err }))),
    ),
  };
}

describe('the preview process', () => {
  it('answers every question of its contract', async () => {
    const { rpc, preview, problems } = startPreview();
    const facts = await rpc.request('describeModel', { folder: config.model });
    expect(facts).toMatchObject({ architecture: 'llama', vocabulary: 1024, bos: { id: 0 } });
    const { path } = config.dataset[0] ?? { path: '' };
    const report = await rpc.request('validateDataset', { files: [path] });
    expect(report).toMatchObject({ rows: 40, kept: 40, errors: 0 });
    const shown = await preview(config);
    expect(shown).toMatchObject({
      model: facts,
      mix: { steps: 12 },
      estimate: { provider: 'cpu' },
    });
    const doctor = await rpc.request('doctor', {});
    expect(doctor.providers.find(({ name }) => name === 'cpu')?.works).toBe(true);
    const run = createRun(workspace, config);
    writeFileSync(run.paths.report, 'not ours');
    await rpc.request('drawReport', { folder: run.folder });
    expect(readFileSync(run.paths.report, 'utf8')).toContain('Content-Security-Policy');
    expect(problems).toEqual([]);
  });

  it('reads a dataset once, however settings move, and answers others meanwhile', async () => {
    const { rpc, preview, reading, nextReading } = startPreview();
    const begun = nextReading();
    let read = false;
    const first = preview(longConfig).finally(() => (read = true));
    await begun;
    await rpc.request('describeModel', { folder: config.model });
    expect(read).toBe(false);
    expect((await first).dataset.rows).toBe(20_000);
    const told = reading.length;
    expect(told).toBeGreaterThan(0);
    // At most five a second, however long it took.
    const times = reading.map(({ at }) => at);
    const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
    expect(told).toBeLessThanOrEqual(1 + Math.ceil(span / 180));

    const moved = await preview({ ...longConfig, mix: { ...config.mix, lambda: 0.5 } });
    const again = await preview({ ...longConfig, generation: { ...config.generation, count: 20 } });
    expect([moved.mix?.sources[1]?.rows, again.mix?.sources[1]?.rows]).toEqual([12, 20]);
    expect(reading).toHaveLength(told);
  });

  it('gives up a preview for a newer one', async () => {
    const { preview, nextReading } = startPreview();
    const begun = nextReading();
    const older = preview(longConfig);
    const outcome = expect(older).rejects.toMatchObject({ code: 'PREVIEW_SUPERSEDED' });
    await begun;
    const newer = await preview(config);
    expect(newer.dataset.rows).toBe(40);
    await outcome;
    // What was given up can be asked for again.
    expect((await preview(longConfig)).dataset.rows).toBe(20_000);
  });

  it('follows thousands of samples while they are written, and reads a dataset meanwhile', async () => {
    const { rpc, preview, samples } = startPreview();
    const file = join(workspace, 'samples.jsonl');
    const write = (count: number, from: number): void => {
      const records = madeUpSamples(Array.from({ length: count }, (_, i) => `Sample ${from + i}.`));
      appendFileSync(file, jsonLines(records.map((each, i) => ({ ...each, index: from + i }))));
    };
    write(5000, 0);
    const known = (): number[] => samples.flatMap((told) => told.samples.map(({ index }) => index));
    const reading = preview(longConfig);
    await rpc.request('followSamples', { file });
    await vi.waitFor(() => expect(known()).toHaveLength(5000), { timeout: 30_000 });
    write(2, 5000);
    await vi.waitFor(() => expect(known()).toHaveLength(5002), { timeout: 10_000 });
    expect(known()).toEqual(Array.from({ length: 5002 }, (_, i) => i));
    expect(samples.map(({ first }) => first).lastIndexOf(true)).toBe(0);
    const { samples: tokens } = await rpc.request('sampleTokens', { file, indices: [5001, 3] });
    expect(tokens.map(({ index }) => index)).toEqual([5001, 3]);
    expect(tokens[0]?.pieces.join('')).toContain('5001');
    expect((await reading).dataset.rows).toBe(20_000);
  });

  it('answers what goes wrong as data and lives on', async () => {
    const { rpc, preview } = startPreview();
    await expect(rpc.request('describeModel', { folder: workspace })).rejects.toMatchObject({
      code: expect.stringMatching(/^MODEL_/) as string,
      remedy: expect.stringMatching(/./) as string,
    });
    await expect(preview({ ...config, method: 'magic' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      place: { field: 'method' },
    });
    const missing = join(workspace, 'none.jsonl');
    const { dataset, mix } = await preview({ ...config, dataset: [{ path: missing }] });
    expect(dataset.problems).toMatchObject([{ code: 'DATASET_UNREADABLE', file: missing }]);
    expect(mix).toBeUndefined();
    expect((await preview(config)).mix?.steps).toBe(12);
  });

  it('ends when the host goes away, in the middle of reading too', async () => {
    const { child, rpc, preview, nextReading, ended } = startPreview();
    const begun = nextReading();
    const open = expect(preview(longConfig)).rejects.toMatchObject({ code: 'RPC_CLOSED' });
    await begun;
    rpc.dispose();
    await open;
    child.disconnect();
    expect(await ended).toEqual({ code: 0, err: '' });
  });
});
