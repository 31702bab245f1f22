/**
 * As much of VS Code as the webviews' hosts touch, with the test as the person and as the page. That
 * they work in the editor itself is for the tests that run there.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { vi } from 'vitest';
import type * as vscode from 'vscode';
import { createSamplesFeed } from '../../../../src/engine/preview/samplesFeed.js';
import { createEmitter } from '../../../../src/host/emitter.js';
import { createRunLibrary } from '../../../../src/host/runLibrary.js';
import type { PreviewService, RunEnd, RunService, Studio } from '../../../../src/host/studio.js';
import { createRun } from '../../../../src/runs/runFolder.js';

/** What a person saves. */
export const saved = createEmitter<{ uri: { fsPath: string } }>();

class FakeUri {
  readonly scheme = 'file';
  constructor(readonly fsPath: string) {}
  static file = (fsPath: string): FakeUri => new FakeUri(fsPath);
  static joinPath = (base: vscode.Uri, ...parts: string[]): FakeUri =>
    new FakeUri([base.fsPath, ...parts].join('/'));
  toString(): string {
    return `file://${this.fsPath}`;
  }
}

/** Stands for the module `vscode`; a test changes what it needs. */
export const editor = {
  Uri: FakeUri,
  ViewColumn: { Active: -1 },
  UIKind: { Desktop: 1 },
  env: {
    uiKind: 1,
    remoteName: undefined,
    openExternal: vi.fn<(file: { fsPath: string }) => Promise<boolean>>(() =>
      Promise.resolve(true),
    ),
  },
  l10n: { t: (text: string, ...parts: string[]) => text.replace('{0}', parts[0] ?? '') },
  commands: { executeCommand: vi.fn(() => Promise.resolve()) },
  workspace: {
    isTrusted: true,
    workspaceFolders: [] as unknown[],
    textDocuments: [],
    onDidSaveTextDocument: saved.event,
    onDidGrantWorkspaceTrust: createEmitter<void>().event,
    onDidChangeWorkspaceFolders: createEmitter<void>().event,
    asRelativePath: (path: string) => path,
    getConfiguration: () => ({
      get: (name: string, fallback: unknown) => (name === 'provider' ? 'auto' : fallback),
    }),
    findFiles: () => Promise.resolve([]),
    fs: { writeFile: vi.fn(() => Promise.resolve()) },
  },
  window: {
    registerWebviewViewProvider: vi.fn<typeof vscode.window.registerWebviewViewProvider>(() => ({
      dispose: () => undefined,
    })),
    registerWebviewPanelSerializer: vi.fn<typeof vscode.window.registerWebviewPanelSerializer>(
      () => ({ dispose: () => undefined }),
    ),
    createWebviewPanel: vi.fn(() => makeView().view),
    showInformationMessage: vi.fn(() => Promise.resolve(undefined)),
    showOpenDialog: vi.fn(),
    showSaveDialog: vi.fn(),
  },
};

interface Sent {
  kind: string;
  id?: number;
  name?: string;
  payload?: unknown;
  result?: unknown;
  error?: unknown;
}

export interface FakeView {
  /** Serves as a view and as a panel. */
  view: vscode.WebviewView & vscode.WebviewPanel;
  webview: vscode.Webview;
  /** What the host sent to the page. */
  sent: Sent[];
  /** Asks the host as the page does; rejects with the error record it refuses with. */
  ask(method: string, params: unknown): Promise<unknown>;
  /** Payloads of an event, in order. */
  events(name: string): Record<string, unknown>[];
  setVisible(visible: boolean): void;
}

export function makeView(): FakeView {
  const received = createEmitter<unknown>();
  const visibility = createEmitter<void>();
  const disposed = createEmitter<void>();
  const sent: Sent[] = [];
  let nextId = 0;
  const webview = {
    options: {},
    html: '',
    cspSource: 'vscode-webview:',
    asWebviewUri: (uri: vscode.Uri) => uri,
    postMessage: (message: Sent) => {
      // What is sent to a webview is JSON.
      sent.push(JSON.parse(JSON.stringify(message)) as Sent);
      return Promise.resolve(true);
    },
    onDidReceiveMessage: received.event,
  };
  const view = {
    webview,
    visible: true,
    onDidChangeVisibility: visibility.event,
    onDidChangeViewState: visibility.event,
    onDidDispose: disposed.event,
    reveal: vi.fn(),
    dispose: () => disposed.fire(),
  };
  return {
    view: view as unknown as FakeView['view'],
    webview: webview,
    sent,
    ask: async (method, params) => {
      const id = nextId++;
      received.fire({ kind: 'request', id, method, params });
      const answer = await vi.waitFor(() => {
        const found = sent.find((message) => message.id === id && message.kind !== 'request');
        if (!found) throw new Error(`no answer to ${method}`);
        return found;
      });
      if (answer.kind === 'refusal') throw answer.error as Error;
      return answer.result;
    },
    events: (name) =>
      sent.flatMap((message) =>
        message.kind === 'event' && message.name === name
          ? [message.payload as Record<string, unknown>]
          : [],
      ),
    setVisible: (visible) => {
      view.visible = visible;
      visibility.fire();
    },
  };
}

/** Samples as the preview process reads them; all other questions go to `request`. */
function makePreview(request: (...asked: unknown[]) => Promise<unknown>) {
  let take: Parameters<PreviewService['followSamples']>[1] | undefined;
  const feed = createSamplesFeed(
    ({ samples, first }) => take?.(samples, first),
    (problem) => {
      throw problem;
    },
  );
  return {
    request: async (method: string, params: { file: string; indices: number[] }) =>
      method === 'sampleTokens'
        ? { samples: await feed.tokens(params.file, params.indices) }
        : request(method, params),
    onReading: createEmitter<{ file: string; rows: number }>().event,
    followSamples: (file: string, heard: typeof take) => {
      take = heard;
      feed.follow(file);
      return { dispose: () => feed.follow(undefined) };
    },
  };
}

export interface FakeStudio {
  studio: Studio;
  workspace: string;
  /** The parts of the studio that a test answers for or asks about. */
  parts: ReturnType<typeof makeParts>;
  dispose(): void;
}

function makeParts(workspace: string) {
  return {
    start: vi.fn<RunService['start']>((config) => createRun(workspace, config)),
    resumeWith: vi.fn<RunService['resumeWith']>(),
    request: vi.fn<(...asked: unknown[]) => Promise<unknown>>(() => Promise.resolve(undefined)),
    showSamples: vi.fn(),
    warn: vi.fn(),
    ended: createEmitter<RunEnd>(),
  };
}

/** A studio with a real library over a workspace of its own, and nothing that runs. */
export function makeStudio(): FakeStudio {
  const workspace = mkdtempSync(`${tmpdir()}/studio-`);
  const memory = new Map<string, unknown>();
  const parts = makeParts(workspace);
  const log = { info: vi.fn(), warn: parts.warn, error: vi.fn() };
  const library = createRunLibrary({ workspace: () => workspace, log });
  const studio = {
    context: {
      extensionUri: editor.Uri.file('/extension'),
      workspaceState: {
        get: (key: string) => memory.get(key),
        update: (key: string, value: unknown) => {
          memory.set(key, JSON.parse(JSON.stringify(value)));
          return Promise.resolve();
        },
      },
    },
    log,
    workspace: () => workspace,
    library,
    service: { start: parts.start, resumeWith: parts.resumeWith, onDidEnd: parts.ended.event },
    preview: makePreview(parts.request),
    inspector: { show: parts.showSamples },
    panel: { show: vi.fn(), follow: vi.fn(), draft: {} },
  };
  return {
    studio: studio as unknown as Studio,
    workspace,
    parts,
    dispose: () => {
      library.dispose();
      rmSync(workspace, { recursive: true, force: true });
    },
  };
}
