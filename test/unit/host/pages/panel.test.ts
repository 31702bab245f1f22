import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CfsError } from '../../../../src/errors.js';
import { createPanelHost } from '../../../../src/host/pages/panel.js';
import type { PanelHost, RunActions } from '../../../../src/host/studio.js';
import type { ItemRecord } from '../../../../src/protocol/records.js';
import { createRun, openRun, type RunFolder } from '../../../../src/runs/runFolder.js';
import { madeUpConfig, madeUpEvents, madeUpResults } from '../../runs/madeUpRun.js';
import {
  editor,
  makeStudio,
  makeView,
  saved,
  type FakeStudio,
  type FakeView,
} from './fakeEditor.js';

vi.mock('vscode', async () => (await import('./fakeEditor.js')).editor);

let fake: FakeStudio;
let host: PanelHost;
let page: FakeView;
const actions = {
  stop: vi.fn(),
  resume: vi.fn(),
  report: vi.fn(),
  reveal: vi.fn(),
  configure: vi.fn(),
  delete: vi.fn(),
} satisfies RunActions;

beforeEach(() => {
  vi.clearAllMocks();
  fake = makeStudio();
  host = createPanelHost(fake.studio, actions);
  page = makeView();
  editor.window.createWebviewPanel.mockReturnValue(page.view);
});
afterEach(() => {
  editor.workspace.isTrusted = true;
  host.dispose();
  fake.dispose();
});

async function addRun(name: string, method: 'cfs' | 'sft' = 'cfs'): Promise<RunFolder> {
  const run = createRun(fake.workspace, madeUpConfig(method, name));
  fake.studio.library.refresh();
  await vi.waitFor(() => expect(fake.studio.library.get(run.id)).toBeDefined(), { timeout: 4000 });
  return run;
}

const values = { model: '/models/base', dataset: [{ path: '/data/poems.jsonl' }] };
const previewed = {
  model: { parameters: 1e6, contextLength: 128 },
  dataset: { kept: 10 },
  findings: [],
};

describe('the panel', () => {
  it('opens the page that is wanted, then the one it showed before', async () => {
    host.show('curves', { runIds: ['a'] });
    expect(await page.ask('open', {})).toEqual({ page: 'curves', selected: ['a'] });
    await vi.waitFor(() => expect(page.events('runs')).toHaveLength(1));
    expect(await page.ask('open', { page: 'compare', selected: ['a', 'b'] })).toEqual({
      page: 'compare',
      selected: ['a', 'b'],
    });
  });

  it('tells a page that is up what else is wanted, and leaves the selection alone', async () => {
    host.show('mix');
    await page.ask('open', {});
    host.show('compare', { runIds: ['a', 'b'] });
    host.show('curves');
    expect(page.events('show')).toEqual([
      { page: 'compare', selected: ['a', 'b'] },
      { page: 'curves' },
    ]);
    expect(editor.window.createWebviewPanel).toHaveBeenCalledTimes(1);
  });

  it('comes back after a reload, in place of another', async () => {
    host.show('mix');
    const [, serializer] = editor.window.registerWebviewPanelSerializer.mock.lastCall ?? [];
    const restored = makeView();
    await serializer?.deserializeWebviewPanel(restored.view, { page: 'curves' });
    expect(restored.webview.html).toContain('panel.js');
    restored.setVisible(true);
    expect(await restored.ask('open', { page: 'curves', selected: ['a'] })).toMatchObject({
      selected: ['a'],
    });
    host.show('compare');
    expect(restored.events('show')).toEqual([{ page: 'compare' }]);
  });

  it('does what people ask of a run', async () => {
    host.show('curves');
    await page.ask('runAction', { runId: 'a', action: 'stop' });
    expect(actions.stop).toHaveBeenCalledWith('a');
    const refused = new CfsError({ code: 'RUN_BUSY', message: 'Busy.', remedy: 'Wait.' });
    actions.delete.mockRejectedValueOnce(refused);
    await expect(page.ask('runAction', { runId: 'a', action: 'delete' })).rejects.toMatchObject({
      code: 'RUN_BUSY',
    });
    expect(fake.parts.warn).toHaveBeenCalledWith(expect.stringContaining('Busy.'));
  });
});

describe('the mix page', () => {
  let draft: string;
  beforeEach(async () => {
    host.show('mix', { draft: { dataset: values.dataset } });
    await page.ask('open', {});
    ({ draft } = (await page.ask('mixState', {})) as { draft: string });
  });

  it('keeps what was typed, and takes single settings from outside', async () => {
    expect(await page.ask('mixState', {})).toMatchObject({
      values: { dataset: values.dataset },
      schema: { properties: { model: {} } },
    });
    fake.parts.request.mockResolvedValue(previewed);
    await page.ask('preview', { draft, values: { ...values, seed: 3 } });
    expect(host.draft).toMatchObject({ seed: 3 });
    host.show('mix', { change: { model: '/models/other' } });
    expect(page.events('mixState').at(-1)).toMatchObject({
      draft,
      values: { model: '/models/other', dataset: values.dataset, seed: 3 },
    });
  });

  it('has nothing of the settings before in those of another dataset', async () => {
    fake.parts.request.mockResolvedValue(previewed);
    await page.ask('preview', {
      draft,
      values: { ...values, method: 'sft', training: { steps: 9 } },
    });
    const other = { dataset: [{ path: '/data/other.csv' }] };
    host.show('mix', { draft: other });
    const told = page.events('mixState').at(-1);
    expect(told).toMatchObject({ values: other, suggested: {} });
    expect(Object.keys(told?.values as object)).toEqual(['dataset']);
    // The page had not heard of it yet.
    const late = { draft, values: { ...values, seed: 5 } };
    for (const [method, more] of [
      ['preview', {}],
      ['start', { request: 'late', until: 'end' }],
      ['continueRun', {}],
    ] as const) {
      await expect(page.ask(method, { ...late, ...more })).rejects.toMatchObject({
        code: 'DRAFT_REPLACED',
      });
    }
    expect(host.draft).toEqual(other);
    expect(fake.parts.start).not.toHaveBeenCalled();
  });

  it('looks again when the dataset was saved, and at no other file', async () => {
    fake.parts.request.mockResolvedValue(previewed);
    await page.ask('preview', { draft, values });
    const told = page.events('mixState').length;
    saved.fire({ uri: { fsPath: '/data/unrelated.csv' } });
    expect(page.events('mixState')).toHaveLength(told);
    saved.fire({ uri: { fsPath: values.dataset[0]?.path ?? '' } });
    expect(page.events('mixState')).toHaveLength(told + 1);
  });

  it('tells what the preview finds at its field', async () => {
    const place = { file: '/tasks/facts.yaml', line: 3, field: 'metrics' };
    const found = (severity: string, field: string) => ({
      severity,
      field,
      error: { code: 'MADE_UP', message: 'So it is.', remedy: 'Mend it.', place },
    });
    const findings = [found('warning', 'model'), found('error', 'evaluation.tasks[1]')];
    fake.parts.request.mockResolvedValue({ ...previewed, findings });
    const message = 'facts.yaml, line 3: So it is. Mend it.';
    expect(await page.ask('preview', { draft, values })).toMatchObject({
      problems: [{ field: 'evaluation.tasks[1]', message }],
      warnings: [{ field: 'model', message }],
      preview: { findings },
    });
  });

  it('tells problems by field, without asking the preview process', async () => {
    const answer = await page.ask('preview', {
      draft,
      values: { ...values, training: { epochs: -1 } },
    });
    expect(answer).toMatchObject({ problems: [{ field: 'training.epochs' }] });
    expect(fake.parts.request).not.toHaveBeenCalled();
  });

  it('fills in what suits model and dataset, once', async () => {
    fake.parts.request.mockResolvedValue(previewed);
    expect(await page.ask('preview', { draft, values })).toMatchObject({ problems: [] });
    const suggested = page.events('mixState').at(-1)?.values as {
      training: Record<string, number>;
      generation: unknown;
    };
    expect(suggested.training).toMatchObject({ epochs: 3, maxLength: 128 });
    expect(suggested.generation).toEqual({ maxLength: 127 });
    const told = page.events('mixState').length;
    const mine = { ...suggested, training: { ...suggested.training, epochs: 9 } };
    await page.ask('preview', { draft, values: mine });
    expect(page.events('mixState')).toHaveLength(told);
    expect(host.draft).toEqual(mine);
  });

  it('puts errors beside their field, and passes on those that have none', async () => {
    const request = fake.parts.request;
    const place = { file: '/models/base/config.json', setting: 'model' };
    request.mockRejectedValueOnce(
      new CfsError({ code: 'MODEL_UNSUPPORTED', message: 'Unknown.', remedy: 'Choose.', place }),
    );
    expect(await page.ask('preview', { draft, values })).toEqual({
      problems: [{ field: 'model', message: 'Unknown. Choose.' }],
    });
    request.mockRejectedValueOnce(
      new CfsError({ code: 'PREVIEW_SUPERSEDED', message: 'Newer.', remedy: 'None.' }),
    );
    await expect(page.ask('preview', { draft, values })).rejects.toMatchObject({
      code: 'PREVIEW_SUPERSEDED',
    });
    expect(fake.parts.warn).not.toHaveBeenCalled();
  });

  it('starts a run, says where run.yaml is and shows what comes', async () => {
    const answer = (await page.ask('start', { draft, request: 'a', values, until: 'end' })) as {
      runId: string;
      file: string;
    };
    const { config, id } = openRun(join(fake.workspace, '.cfs', 'runs', answer.runId));
    expect(answer.file).toBe(join(fake.workspace, '.cfs', 'runs', id, 'run.yaml'));
    expect(config.model).toBe('/models/base');
    expect(page.events('show')).toEqual([{ page: 'curves', selected: [id] }]);
    const samples = (await page.ask('start', {
      draft,
      request: 'b',
      values,
      until: 'samples',
    })) as { runId: string };
    expect(fake.parts.showSamples).toHaveBeenCalledWith(samples.runId);
  });

  it('makes one run of a request, however often it comes', async () => {
    const start = { draft, values, until: 'end' };
    const first = await page.ask('start', { ...start, request: 'a' });
    expect(await page.ask('start', { ...start, request: 'a' })).toEqual(first);
    expect(fake.parts.start).toHaveBeenCalledTimes(1);
    expect(await page.ask('mixState', {})).toMatchObject({
      run: { id: (first as { runId: string }).runId },
    });
    expect(await page.ask('start', { ...start, request: 'b' })).not.toEqual(first);
  });

  it('continues its run, and says what differs from it', async () => {
    fake.parts.request.mockResolvedValue(previewed);
    await expect(page.ask('continueRun', { draft, values })).rejects.toMatchObject({
      code: 'RUN_NOT_FOUND',
    });
    const { runId } = (await page.ask('start', {
      draft,
      request: 'a',
      values,
      until: 'samples',
    })) as { runId: string };
    const changed = { ...values, seed: 2, training: { epochs: 4 } };
    const same = (await page.ask('preview', { draft, values })) as { changes: unknown };
    expect(same.changes).toEqual({ settings: [], samples: [] });
    const other = (await page.ask('preview', { draft, values: changed })) as { changes: unknown };
    expect(other.changes).toEqual({ settings: ['seed', 'training.epochs'], samples: ['seed'] });
    await page.ask('continueRun', { draft, values: { ...values, training: { epochs: 4 } } });
    expect(fake.parts.resumeWith).toHaveBeenCalledWith(
      runId,
      expect.objectContaining({ training: expect.objectContaining({ epochs: 4 }) as unknown }),
    );
    expect(page.events('show').at(-1)).toEqual({ page: 'curves', selected: [runId] });

    rmSync(join(fake.workspace, '.cfs', 'runs', runId), { recursive: true });
    expect(await page.ask('mixState', {})).not.toHaveProperty('run');
  });

  it('has no run any more once that was refused and its folder removed', async () => {
    const asked = { draft, request: 'a', values, until: 'end' };
    const { runId } = (await page.ask('start', asked)) as { runId: string };
    await page.ask('mixState', {});
    await page.ask('open', {});
    rmSync(join(fake.workspace, '.cfs', 'runs', runId), { recursive: true });
    fake.parts.ended.fire({ runId, outcome: 'failed', removed: true });
    const told = page.events('mixState').at(-1);
    expect(told).toMatchObject({ draft });
    expect(told).not.toHaveProperty('run');
  });

  it('generates samples once for the same settings', () => {
    expect(host.generateSamples()).toBeUndefined();
    host.show('mix', { draft: values });
    const runId = host.generateSamples();
    expect(page.events('mixState').at(-1)).toMatchObject({ run: { id: runId } });
    expect(host.generateSamples()).toBe(runId);
    host.show('mix', { change: { seed: 3 } });
    expect(host.generateSamples()).not.toBe(runId);
    expect(fake.parts.start).toHaveBeenCalledTimes(2);
  });

  it('follows its run to another BOS token, and no other run', async () => {
    host.show('mix', { draft: values });
    const runId = host.generateSamples() ?? '';
    const made = await addRun('next');
    const next = {
      ...made,
      config: { ...made.config, generation: { ...made.config.generation, bos: 7 } },
    };
    host.follow('another', next);
    expect(host.draft).toEqual(values);
    // What was changed on the page since the run was made is not lost.
    host.show('mix', { change: { seed: 5 } });
    host.follow(runId, next);
    const moved = { ...values, seed: 5, generation: { bos: 7 } };
    expect(host.draft).toMatchObject(moved);
    const told = page.events('mixState').at(-1) as { draft: string };
    expect(told).toMatchObject({
      values: { seed: 5, generation: { bos: 7 } },
      run: { id: next.id },
    });
    await expect(page.ask('preview', { draft, values })).rejects.toMatchObject({
      code: 'DRAFT_REPLACED',
    });
  });

  it('starts nothing that is incomplete, nor in a folder that is not trusted', async () => {
    await expect(
      page.ask('start', { draft, request: 'a', values: {}, until: 'end' }),
    ).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      place: { field: 'model' },
    });
    editor.workspace.isTrusted = false;
    expect(await page.ask('mixState', {})).toHaveProperty('blocked');
    expect(await page.ask('preview', { draft, values })).toEqual({ problems: [] });
    await expect(
      page.ask('start', { draft, request: 'a', values, until: 'end' }),
    ).rejects.toMatchObject({
      code: 'WORKSPACE_UNTRUSTED',
    });
    expect(fake.parts.start).not.toHaveBeenCalled();
    expect(fake.parts.request).not.toHaveBeenCalled();
  });

  it('offers files that suit the field', async () => {
    editor.window.showOpenDialog.mockResolvedValueOnce([editor.Uri.file('/tasks/a.yaml')]);
    expect(await page.ask('pickPaths', { kind: 'files', field: 'evaluation.tasks' })).toEqual({
      paths: ['/tasks/a.yaml'],
    });
    expect(editor.window.showOpenDialog.mock.lastCall?.[0]).toMatchObject({
      canSelectMany: true,
      filters: { Tasks: ['yaml', 'yml'] },
    });
    editor.window.showOpenDialog.mockResolvedValueOnce(undefined);
    expect(await page.ask('pickPaths', { kind: 'folder', field: 'model' })).toEqual({ paths: [] });
  });
});

describe('the curves page', () => {
  it('gets all events of a watched run in pieces, then new ones, until it is hidden', async () => {
    const run = await addRun('a');
    const events = madeUpEvents();
    appendFileSync(run.paths.events, events.map((each) => `${JSON.stringify(each)}\n`).join(''));
    host.show('curves');
    await page.ask('open', {});
    await page.ask('watch', { runIds: [run.id] });
    const told = (): unknown[] =>
      page.events('history').flatMap((each) => each.events as unknown[]);
    await vi.waitFor(() => expect(told()).toHaveLength(events.length), { timeout: 4000 });
    expect(page.events('history').filter(({ first }) => first)).toHaveLength(1);
    expect(told()).toEqual(JSON.parse(JSON.stringify(events)));

    page.setVisible(false);
    appendFileSync(run.paths.events, `${JSON.stringify(events[0])}\n`);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(told()).toHaveLength(events.length);
  });

  it('gets results of the runs that have them', async () => {
    const [a, b] = [await addRun('a'), await addRun('b')];
    writeFileSync(a.paths.results, JSON.stringify(madeUpResults()));
    writeFileSync(b.paths.results, '{ broken');
    host.show('curves');
    const { results } = (await page.ask('results', { runIds: [a.id, b.id, 'gone'] })) as {
      results: { results?: unknown }[];
    };
    expect(results.map((each) => each.results !== undefined)).toEqual([true, false, false]);
    expect(fake.parts.warn).toHaveBeenCalledWith(expect.stringContaining('RECORD_BROKEN'));
  });

  it('writes pictures and tables where the person says', async () => {
    host.show('curves');
    const target = editor.Uri.file('/somewhere/curves.png');
    editor.window.showSaveDialog.mockResolvedValueOnce(target);
    const data = Buffer.from([1, 2, 3]).toString('base64');
    const save = { name: '../../curves.png', kind: 'png', data };
    expect(await page.ask('saveFile', save)).toEqual({ path: '/somewhere/curves.png' });
    expect(editor.workspace.fs.writeFile).toHaveBeenCalledWith(target, Buffer.from([1, 2, 3]));
    const { defaultUri } = editor.window.showSaveDialog.mock.lastCall?.[0] as {
      defaultUri: { fsPath: string };
    };
    expect(defaultUri.fsPath).toBe(`${fake.workspace}/curves.png`);
    editor.window.showSaveDialog.mockResolvedValueOnce(undefined);
    expect(await page.ask('saveFile', save)).toEqual({});
  });
});

describe('the compare page', () => {
  const item = (id: string, base: boolean, final: boolean): ItemRecord => ({
    task: 'facts',
    metric: 'acc',
    id,
    prompt: `${id}?`,
    expected: 'yes',
    base: { correct: base, answer: 'b' },
    final: { correct: final, answer: 'f' },
  });

  it('shows runs side by side and the items they answer differently', async () => {
    const [a, b] = [await addRun('a', 'sft'), await addRun('b', 'cfs')];
    const items = [item('1', true, false), item('2', true, false), item('3', false, true)];
    writeFileSync(a.paths.items, items.map((each) => `${JSON.stringify(each)}\n`).join(''));
    host.show('compare');
    expect(await page.ask('compare', { runIds: [a.id, b.id, 'gone'] })).toMatchObject({
      runs: [{ info: { name: 'a' } }, { info: { name: 'b' } }],
      settings: [{ field: 'method', values: ['sft', 'cfs'] }],
    });
    const question = { task: 'facts', metric: 'acc', change: 'right-to-wrong', limit: 1 };
    expect(
      await page.ask('items', { ...question, from: 'base', to: a.id, offset: 1 }),
    ).toMatchObject({ total: 2, items: [{ id: '2', from: { answer: 'b' }, to: { answer: 'f' } }] });
    expect(
      await page.ask('items', { ...question, from: a.id, to: 'base', offset: 0 }),
    ).toMatchObject({ total: 1, items: [{ id: '3', from: { answer: 'f' } }] });
    expect(await page.ask('items', { ...question, from: a.id, to: b.id, offset: 0 })).toEqual({
      total: 0,
      items: [],
    });
    rmSync(a.folder, { recursive: true });
    await expect(
      page.ask('items', { ...question, from: a.id, to: b.id, offset: 0 }),
    ).rejects.toMatchObject({ code: 'RUN_NOT_FOUND' });
  });
});
