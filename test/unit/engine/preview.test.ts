/** What the preview process answers, asked in this process. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createHandlers, type Tell } from '../../../src/engine/preview/handlers.js';
import { createPacing } from '../../../src/engine/preview/pace.js';
import { readRunConfig } from '../../../src/runs/config.js';
import type { PreviewData } from '../../../src/protocol/preview.js';
import type { RunConfig } from '../../../src/runs/configSchema.js';
import {
  jsonLines,
  pairs,
  temporaryFolder,
  writeTinyModel,
  writeWorkspace,
} from '../../support/tinyModel.js';

const untold: Tell = {
  reading: () => undefined,
  samples: () => undefined,
  problem: () => undefined,
};

const workspace = writeWorkspace(temporaryFolder());
const config = readRunConfig(join(workspace, 'run.yaml'));

type Changes = { [K in keyof RunConfig]?: Partial<RunConfig[K]> };

function asker() {
  const handlers = createHandlers(untold);
  return async (changes: Changes = {}): Promise<PreviewData> => {
    const data = {
      ...config,
      ...changes,
      generation: { ...config.generation, ...changes.generation },
      training: { ...config.training, ...changes.training },
      evaluation: { ...config.evaluation, ...changes.evaluation },
    };
    return handlers.preview({ config: data, folder: workspace });
  };
}

describe('a preview', () => {
  it('says the model, the dataset, the mix and an estimate', async () => {
    const { model, dataset, findings, mix, estimate, problem } = await asker()();
    expect(problem).toBeUndefined();
    expect(findings).toMatchObject([{ severity: 'warning', field: 'model' }]);
    expect(model).toMatchObject({ architecture: 'llama', layers: 1, vocabulary: 1024 });
    // Table, attention, feed-forward, norms.
    const attention = 2 * 48 * 48 + 2 * 24 * 48;
    expect(model.parameters).toBe(1024 * 48 + attention + 3 * 64 * 48 + 3 * 48);
    expect(dataset).toMatchObject({ rows: 40, kept: 40, errors: 0 });
    expect(mix).toMatchObject({ steps: 12, sources: [{ rows: 40 }, { rows: 12 }] });
    expect(mix?.batch).toHaveLength(8);
    expect(mix?.batch[0]?.origin).toMatchObject({ file: 0 });
    const { total, ...phases } = estimate?.seconds ?? { total: 0 };
    expect(Object.values(phases).reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(total);
    expect(Object.values(phases).every((seconds) => seconds > 0)).toBe(true);
    expect(estimate).toMatchObject({ provider: 'cpu', verdict: 'fits' });
  });

  it.each<[string, Changes, string]>([
    // The dataset has the same path, and is right there.
    ['model', { model: config.dataset[0]?.path }, 'MODEL_FOLDER_MISSING'],
    ['generation.bos', { generation: { bos: '<none>' } }, 'BOS_OVERRIDE_UNKNOWN'],
  ])('says that an error comes from the setting %s', async (setting, changes, code) => {
    await expect(asker()(changes)).rejects.toMatchObject({ code, place: { setting } });
  });

  it('tells the file of a row where there are several', async () => {
    const other = join(workspace, 'other.jsonl');
    writeFileSync(other, jsonLines(pairs(60, 500)));
    const { mix, dataset } = await asker()({ dataset: [...config.dataset, { path: other }] });
    expect(dataset.files.map(({ file }) => file)).toEqual([config.dataset[0]?.path, other]);
    expect(mix?.sources[0]?.rows).toBe(100);
    const files = new Set(mix?.batch.flatMap(({ origin }) => origin?.file ?? []));
    expect(files).toEqual(new Set([0, 1]));
  });

  it('reads a file anew once it has changed, with the model still known', async () => {
    const file = join(workspace, 'growing.jsonl');
    writeFileSync(file, jsonLines(pairs(20)));
    const ask = asker();
    expect((await ask({ dataset: [{ path: file }] })).dataset.rows).toBe(20);
    appendFileSync(file, jsonLines(pairs(5, 50)));
    expect((await ask({ dataset: [{ path: file }] })).dataset.rows).toBe(25);
  });

  it('keeps rows out of training where none are given to test on', async () => {
    const { mix } = await asker()({ evaluation: { downstream: undefined, holdOut: 0.25 } });
    expect(mix?.sources[0]?.rows).toBe(30);
  });

  it('ends an older question, but not the reading that the newer one needs as well', async () => {
    const ask = asker();
    const older = ask();
    const newer = ask({ training: { learningRate: 0.1 } });
    await expect(older).rejects.toMatchObject({ code: 'PREVIEW_SUPERSEDED' });
    expect((await newer).dataset.rows).toBe(40);
  });

  it('refuses a form that lacks fields, with the field', async () => {
    const handlers = createHandlers(untold);
    await expect(handlers.preview({ config: { dataset: config.dataset } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      place: { field: 'model' },
    });
  });

  it('shows the mix where only the estimate fails, and the dataset where only the mix does', async () => {
    const missing = join(workspace, 'tasks', 'none.yaml');
    const broken = await asker()({ evaluation: { tasks: [missing] } });
    expect(broken.mix?.steps).toBe(12);
    expect(broken.estimate).toBeUndefined();
    expect(broken.problem).toMatchObject({ code: 'TASK_INVALID', place: { file: missing } });
    expect(broken.findings).toContainEqual({
      severity: 'error',
      field: 'evaluation.tasks[0]',
      error: broken.problem,
    });
    const small = await asker()({ training: { batchRows: 1 } });
    expect(small.mix).toBeUndefined();
    expect(small).toMatchObject({ dataset: { kept: 40 }, problem: { code: 'BATCH_TOO_SMALL' } });
  });

  it('finds held-out rows that cannot be used', async () => {
    const downstream = [{ path: join(workspace, 'gone.jsonl') }];
    const { findings } = await asker()({ evaluation: { downstream } });
    expect(findings).toContainEqual(
      expect.objectContaining({
        field: 'evaluation.downstream',
        error: expect.objectContaining({ code: 'DATASET_EMPTY' }) as unknown,
      }),
    );
  });

  it('has only the report of a dataset without a usable row', async () => {
    const file = join(workspace, 'empty.jsonl');
    writeFileSync(file, '{"prompt": "a"}\n');
    const { dataset, mix, problem } = await asker()({ dataset: [{ path: file }] });
    expect(dataset).toMatchObject({ rows: 1, kept: 0 });
    expect([mix, problem]).toEqual([undefined, undefined]);
  });
});

describe('other questions', () => {
  const handlers = createHandlers(untold);

  it('checks conversations without a model, and says what is wrong by line', async () => {
    const file = join(workspace, 'chat.jsonl');
    const turn = (role: string) => ({ role, content: 'hello' });
    const good = { messages: [turn('user'), turn('assistant')] };
    writeFileSync(file, jsonLines([good, { messages: [turn('user')] }]));
    const report = await handlers.validateDataset({ files: [file] });
    expect(report).toMatchObject({ rows: 2, kept: 1, errors: 1 });
    expect(report.problems).toMatchObject([{ code: 'NO_ASSISTANT_TURN', line: 2 }]);
  });

  it('describes another BOS token, and sees that a model folder has changed', async () => {
    const folder = writeTinyModel(join(workspace, 'changing'));
    expect(await handlers.describeModel({ folder })).toMatchObject({ bos: { id: 0 }, layers: 1 });
    expect(await handlers.describeModel({ folder, bos: 5 })).toMatchObject({ bos: { id: 5 } });
    writeTinyModel(folder, { num_hidden_layers: 2 });
    expect(await handlers.describeModel({ folder })).toMatchObject({ layers: 2 });
  });
});

describe('the pace of reading', () => {
  it('gives messages a turn, and ends where nobody wants to go on', async () => {
    const controller = new AbortController();
    const pace = createPacing(() => undefined)(controller.signal);
    const wait = performance.now() + 30;
    while (performance.now() < wait);
    let turned = false;
    setImmediate(() => (turned = true));
    await pace('file', 1);
    expect(turned).toBe(true);
    controller.abort(new Error('enough'));
    while (performance.now() < wait + 60);
    await expect(pace('file', 2)).rejects.toThrow('enough');
  });
});
