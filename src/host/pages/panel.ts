/**
 * The panel “CFS Studio”: one webview with three pages. It holds nothing that matters: the draft of
 * the mix page is kept in the workspace's memory, everything else in run folders, so it can be closed,
 * hidden and reloaded at any time.
 */
import * as vscode from 'vscode';
import type { Until } from '../../protocol/engine.js';
import {
  panelHostContract,
  panelPageContract,
  type Page,
  type PanelHostContract,
} from '../../protocol/panel.js';
import type { Handlers } from '../../protocol/rpc.js';
import { guard, openPlace } from '../errors.js';
import type { RunFolder } from '../../runs/runFolder.js';
import type { PanelHost, RunActions, Studio } from '../studio.js';
import { showInfo } from '../ui.js';
import { createCompareSide } from './compare.js';
import { createCurvesSide } from './curves.js';
import { movedDraft, newDraft } from './draft.js';
import { createDraftStore } from './draftStore.js';
import { createMixSide, type MixSide } from './mix.js';
import { firstSelection } from './panelState.js';
import type { PanelRpc, Tell } from './side.js';
import { connectWebview } from './webview.js';

const panelType = 'cfs.panel';
const title = 'CFS Studio';

/** A panel that is open. */
interface Opened {
  panel: vscode.WebviewPanel;
  mix: MixSide;
  tell: Tell;
  /** Whether its page asked for its data and is still seen. */
  live: boolean;
  /** Lets go of everything but the panel. */
  end(): void;
}

/** What a panel should show once its page is up. */
interface Wanted {
  page: Page;
  runIds?: readonly string[];
}

export function createPanelHost(studio: Studio, actions: RunActions): PanelHost {
  const { context, library, service } = studio;
  const store = createDraftStore(studio);
  let opened: Opened | undefined;
  let wanted: Wanted | undefined;

  const tellRuns = (): void => {
    if (opened?.live === true) opened.tell('runs', { runs: [...library.list()] });
  };

  const showPage = (want: Wanted): void => {
    if (opened?.live !== true) {
      wanted = want;
      return;
    }
    const { page, runIds } = want;
    opened.tell('show', { page, ...(runIds === undefined ? {} : { selected: [...runIds] }) });
  };

  const started = ({ id, paths }: RunFolder, until: Until): void => {
    if (until === 'samples') return studio.inspector.show(id);
    const file = paths.config;
    showPage({ page: 'curves', runIds: [id] });
    const open = vscode.l10n.t('Open run.yaml');
    const told = vscode.l10n.t(
      'The settings of this run are in {0}.',
      vscode.workspace.asRelativePath(file),
    );
    const offer = guard(async () => {
      const chosen = await showInfo(told, open);
      if (chosen === open) await openPlace({ file });
    }, studio);
    void offer();
  };

  const connect = (panel: vscode.WebviewPanel): void => {
    // There is one panel: one that comes back after a reload takes the place of the one before.
    opened?.panel.dispose();
    // Nothing is told before the page has asked, by when the line is there.
    const tell: Tell = (event, payload) => rpc.tell(event, payload);
    const mix = createMixSide(studio, store, tell, started);
    const curves = createCurvesSide(studio, tell);
    const compare = createCompareSide(studio);
    const rest = (): void => {
      now.live = false;
      for (const side of [mix, curves, compare]) side.rest();
    };
    const end = (): void => {
      rest();
      mix.dispose();
      rpc.dispose();
      if (opened === now) opened = undefined;
    };
    const now: Opened = { panel, mix, tell, live: false, end };
    const handlers: Handlers<PanelHostContract> = {
      open: ({ page, selected }) => {
        rest();
        now.live = true;
        const first = wanted;
        wanted = undefined;
        // After the answer, which says what page is shown.
        setTimeout(tellRuns);
        const shown = first?.page ?? page ?? 'mix';
        return {
          page: shown,
          selected: firstSelection(shown, library.list(), first?.runIds ?? selected),
        };
      },
      runAction: async ({ runId, action }) => {
        await actions[action](runId);
        return {};
      },
      ...mix.handlers,
      ...curves.handlers,
      ...compare.handlers,
    };
    opened = now;
    panel.iconPath = vscode.Uri.joinPath(context.extensionUri, 'media', 'icon.png');
    panel.onDidChangeViewState(() => {
      if (!panel.visible) rest();
    });
    panel.onDidDispose(end);
    const rpc: PanelRpc = connectWebview(studio, panel.webview, {
      name: 'panel',
      title,
      host: panelHostContract,
      page: panelPageContract,
      handlers,
    });
  };

  const tellMixState = (): void => {
    if (opened?.live === true) opened.mix.tellState();
  };
  const parts = [
    library.onDidChange(tellRuns),
    // The page may wait for a run that was never in the list.
    service.onDidEnd(({ removed }) => {
      if (removed === true) tellMixState();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(tellMixState),
    vscode.workspace.onDidChangeWorkspaceFolders(tellMixState),
    vscode.window.registerWebviewPanelSerializer(panelType, {
      // What the page kept, it says itself when it opens, checked there.
      deserializeWebviewPanel: (panel) => Promise.resolve(connect(panel)),
    }),
  ];

  return {
    get draft() {
      return store.read().values;
    },
    generateSamples: () => {
      const run = store.generateSamples();
      if (run !== undefined) tellMixState();
      return run?.id;
    },
    follow: (runId, next) => {
      const draft = store.read();
      if (draft.run?.id !== runId) return;
      // Settings that were changed on the page since stay as they are there.
      const bos = { field: 'generation.bos', value: next.config.generation.bos };
      store.keep(movedDraft(draft, next.id, bos));
      tellMixState();
    },
    show: (page, { runIds, draft, change } = {}) => {
      if (draft) store.keep(newDraft(draft));
      if (change) {
        const now = store.read();
        store.keep({ ...now, values: { ...now.values, ...change } });
      }
      if (opened === undefined) {
        wanted = { page, runIds };
        connect(vscode.window.createWebviewPanel(panelType, title, vscode.ViewColumn.Active));
        return;
      }
      opened.panel.reveal();
      showPage({ page, runIds });
      if (draft ?? change) tellMixState();
    },
    dispose: () => {
      // The panel itself stays: when the window is reloaded, it should come back.
      opened?.end();
      for (const part of parts) part.dispose();
    },
  };
}
