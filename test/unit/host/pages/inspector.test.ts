import { appendFileSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type * as vscode from 'vscode';
import { createInspectorHost } from '../../../../src/host/pages/inspector.js';
import type { InspectorHost } from '../../../../src/host/studio.js';
import type { RunEvent } from '../../../../src/protocol/records.js';
import { createRun, type RunFolder } from '../../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../../src/runs/runWriter.js';
import { madeUpConfig, madeUpSamples, timeAt } from '../../runs/madeUpRun.js';
import { editor, makeStudio, makeView, type FakeStudio, type FakeView } from './fakeEditor.js';

vi.mock('vscode', async () => (await import('./fakeEditor.js')).editor);

let fake: FakeStudio;
let host: InspectorHost;
let page: FakeView;
let run: RunFolder;

const texts = ['One.', 'Two and two.', 'Three.'];

beforeEach(async () => {
  fake = makeStudio();
  run = addRun('first', texts);
  host = createInspectorHost(fake.studio);
  const [, provider] = editor.window.registerWebviewViewProvider.mock.lastCall ?? [];
  page = makeView();
  await provider?.resolveWebviewView(
    page.view,
    {} as vscode.WebviewViewResolveContext,
    {} as vscode.CancellationToken,
  );
});
afterEach(() => {
  host.dispose();
  fake.dispose();
});

function addRun(name: string, samples: readonly string[]): RunFolder {
  const added = createRun(fake.workspace, madeUpConfig('cfs', name));
  const lines = madeUpSamples(samples).map((sample) => `${JSON.stringify(sample)}\n`);
  appendFileSync(added.paths.samples, lines.join(''));
  tell(added, { type: 'bos_found', time: timeAt(1), id: 1, token: '<s>', reason: 'found' });
  fake.studio.library.refresh();
  return added;
}

function tell(where: RunFolder, event: RunEvent): void {
  appendFileSync(where.paths.events, `${JSON.stringify(event)}\n`);
}

const state = (): Record<string, unknown> => page.events('state').at(-1) ?? {};
const shown = (): unknown[] =>
  page.events('samples').flatMap(({ samples }) => samples as unknown[]);

async function open(): Promise<void> {
  await page.ask('open', {});
  await vi.waitFor(() => expect(shown()).toHaveLength(texts.length), { timeout: 4000 });
  await vi.waitFor(() => expect(state().bos).toBeDefined(), { timeout: 4000 });
}

it('allows the page its bundle and nothing else', () => {
  const { options, html } = page.webview;
  expect(options.localResourceRoots?.map(({ fsPath }) => fsPath)).toEqual([
    '/extension/dist/webview',
  ]);
  expect(html).toContain('src="file:///extension/dist/webview/inspector.js"');
  expect(html).toContain("default-src 'none'");
});

it('tells nothing before it is asked, then the newest run with its samples and facts', async () => {
  await vi.waitFor(() => expect(fake.studio.library.list()).toHaveLength(1), { timeout: 4000 });
  expect(page.sent).toEqual([]);
  await open();
  expect(state()).toMatchObject({
    selected: run.id,
    excluded: [],
    bos: { id: 1, token: '<s>', reason: 'found' },
  });
  expect(state().settled).toBeUndefined();
  expect(shown()).toMatchObject([{ text: 'One.' }, { text: 'Two and two.' }, { text: 'Three.' }]);
});

it('reads the tokens of the samples that are asked for', async () => {
  await open();
  const { samples } = (await page.ask('tokens', { runId: run.id, indices: [2, 0] })) as {
    samples: { index: number; pieces: string[] }[];
  };
  expect(samples.map(({ index }) => index)).toEqual([2, 0]);
  expect(samples[0]?.pieces.join('')).toContain('Three');
  await expect(page.ask('tokens', { runId: 'other', indices: [0] })).rejects.toMatchObject({
    code: 'RUN_NOT_SHOWN',
  });
});

it('writes exclusions until training has started', async () => {
  await open();
  const exclude = (indices: number[], excluded: boolean): Promise<unknown> =>
    page.ask('exclude', { runId: run.id, indices, excluded });
  expect(await exclude([2, 1], true)).toEqual({ excluded: [1, 2] });
  expect(await exclude([2], false)).toEqual({ excluded: [1] });
  expect(JSON.parse(readFileSync(run.paths.excluded, 'utf8'))).toEqual({ excluded: [1] });
  await vi.waitFor(() => expect(state().excluded).toEqual([1]));

  tell(run, { type: 'samples_chosen', time: timeAt(9), excluded: [1] });
  await vi.waitFor(
    () => expect(state().settled).toMatch(/Training on these samples has already started/),
    { timeout: 4000 },
  );
  await expect(exclude([0], true)).rejects.toMatchObject({ code: 'SAMPLES_SETTLED' });
});

it('stays with the run that was chosen, and shows a new one otherwise', async () => {
  await open();
  const second = addRun('second', ['Another.']);
  await vi.waitFor(() => expect(state().runs).toHaveLength(2), { timeout: 4000 });
  expect(state().selected).toBe(run.id);
  host.show(second.id);
  await vi.waitFor(() => expect(state().selected).toBe(second.id), { timeout: 4000 });
  await vi.waitFor(() => expect(shown().at(-1)).toMatchObject({ text: 'Another.' }), {
    timeout: 4000,
  });
  expect(page.events('samples').at(-1)?.runId).toBe(second.id);
});

it('is quiet while hidden and starts again when it is seen again', async () => {
  await open();
  page.setVisible(false);
  const before = page.sent.length;
  const writer = openRunWriter(run);
  writer.appendSamples(madeUpSamples(['More.']).map((sample) => ({ ...sample, index: 3 })));
  writer.close();
  fake.studio.library.refresh();
  await new Promise((resolve) => setTimeout(resolve, 900));
  expect(page.sent).toHaveLength(before);
  page.setVisible(true);
  await page.ask('open', {});
  const events = (): unknown[] => page.sent.slice(before);
  await vi.waitFor(() => expect(JSON.stringify(events())).toContain('More.'), { timeout: 4000 });
});

it('generates the samples again from another BOS token, as a new run', async () => {
  await open();
  const answer = (await page.ask('changeBos', { runId: run.id, tokenId: 7 })) as {
    runId: string;
  };
  expect(fake.parts.request).toHaveBeenCalledWith('describeModel', {
    folder: run.config.model,
    bos: 7,
  });
  expect(fake.parts.start).toHaveBeenCalledWith(
    { ...run.config, generation: { ...run.config.generation, bos: 7 } },
    'samples',
  );
  fake.studio.library.refresh();
  await vi.waitFor(() => expect(state().selected).toBe(answer.runId), { timeout: 4000 });
});
