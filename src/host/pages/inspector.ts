/**
 * The host's side of the sample inspector: follows the run folder of the selected run while the view
 * is seen, and does what people ask of its samples.
 */
import * as vscode from 'vscode';
import { CfsError } from '../../errors.js';
import {
  inspectorHostContract,
  inspectorPageContract,
  type InspectorHostContract,
  type InspectorPageContract,
} from '../../protocol/inspector.js';
import type { Handlers, Rpc } from '../../protocol/rpc.js';
import { readExclusions, writeExclusions } from '../../runs/exclusions.js';
import type { RunFolder } from '../../runs/runFolder.js';
import { createSoon } from '../../soon.js';
import type { InspectorHost, Studio } from '../studio.js';
import {
  learn,
  runsWithSamples,
  selectRun,
  settledReason,
  type SampleFacts,
} from './inspectorState.js';
import { pickBos } from './bos.js';
import { connectWebview, logProblem } from './webview.js';

const viewId = 'cfs.inspector';
const stateDelayMs = 50;

/** A run that is followed for the page. */
interface Followed {
  run: RunFolder;
  facts: SampleFacts;
  dispose(): void;
}

export function createInspectorHost(studio: Studio): InspectorHost {
  const { library, service, log } = studio;
  let rpc: Rpc<InspectorHostContract, InspectorPageContract> | undefined;
  /** Whether the page asked for its data and is still seen. */
  let live = false;
  let chosen: string | undefined;
  let before: string | undefined;
  let followed: Followed | undefined;

  const tellState = (): void => {
    const runs = runsWithSamples(library.list());
    const { run, facts } = followed ?? { facts: {} };
    const { leftOut, ...known } = facts;
    rpc?.tell('state', {
      runs,
      selected: run?.id,
      ...known,
      excluded: leftOut ?? (run ? exclusionsOf(run) : []),
      settled: run && settledReason(library.get(run.id), facts),
    });
  };
  const tellSoon = createSoon(tellState, stateDelayMs);

  /** A broken file must not keep the samples from being seen. */
  const exclusionsOf = (run: RunFolder): number[] => {
    try {
      return readExclusions(run);
    } catch (error) {
      logProblem(log, 'The excluded samples cannot be shown', error);
      return [];
    }
  };

  const follow = (runId: string): Followed | undefined => {
    let run: RunFolder;
    try {
      run = library.open(runId);
    } catch (error) {
      logProblem(log, 'The samples cannot be shown', error);
      return undefined;
    }
    const samples = studio.preview.followSamples(run.paths.samples, (told, first) =>
      rpc?.tell('samples', { runId, first, samples: told }),
    );
    const now: Followed = {
      run,
      facts: {},
      dispose: () => {
        samples.dispose();
        events.dispose();
      },
    };
    const events = library.follow(runId, (read, first) => {
      const known = first ? {} : now.facts;
      now.facts = read.reduce(learn, known);
      if (first || now.facts !== known) tellSoon();
    });
    return now;
  };

  const stop = (): void => {
    live = false;
    tellSoon.cancel();
    followed?.dispose();
    followed = undefined;
  };

  /** Follows the run that is to be shown now, if it is not followed already. */
  const refresh = (): void => {
    if (!live) return;
    const selected = selectRun(runsWithSamples(library.list()), { chosen, before });
    if (selected !== followed?.run.id) {
      followed?.dispose();
      followed = selected === undefined ? undefined : follow(selected);
    }
    // The list is empty for a moment after the window was opened.
    before = selected ?? before;
    tellSoon();
  };

  const choose = (runId: string): void => {
    chosen = runId;
    refresh();
  };

  /** A question about another run came too late. */
  const followedRun = (runId: string): Followed => {
    if (followed?.run.id === runId) return followed;
    throw new CfsError({
      code: 'RUN_NOT_SHOWN',
      message: 'Another run is shown now.',
      remedy: 'Select the run again.',
    });
  };

  const handlers: Handlers<InspectorHostContract> = {
    open: ({ selected }) => {
      stop();
      live = true;
      before ??= selected;
      refresh();
      return {};
    },
    select: ({ runId }) => {
      choose(runId);
      return {};
    },
    tokens: ({ runId, indices }) => {
      const file = followedRun(runId).run.paths.samples;
      return studio.preview.request('sampleTokens', { file, indices });
    },
    exclude: ({ runId, indices, excluded }) => {
      const { run, facts } = followedRun(runId);
      const settled = settledReason(library.get(runId), facts);
      if (settled !== undefined) {
        throw new CfsError({
          code: 'SAMPLES_SETTLED',
          message: settled,
          remedy: 'Start a new run, and exclude samples before it trains.',
        });
      }
      const numbers = new Set(readExclusions(run));
      for (const index of indices) {
        if (excluded) numbers.add(index);
        else numbers.delete(index);
      }
      writeExclusions(run, numbers);
      tellSoon();
      return { excluded: readExclusions(run) };
    },
    changeBos: async ({ runId, tokenId }) => {
      const { config } = library.open(runId);
      const bos = tokenId ?? (await askBos(config.model, runId));
      if (bos === undefined) return {};
      // Says at once when there is no such token, before a run is made for it.
      await studio.preview.request('describeModel', { folder: config.model, bos });
      const next = service.start(
        { ...config, generation: { ...config.generation, bos } },
        'samples',
      );
      studio.panel.follow(runId, next);
      choose(next.id);
      return { runId: next.id };
    },
    openMix: () => {
      studio.panel.show('mix');
      return {};
    },
    resume: ({ runId, until }) => {
      service.resume(runId, until);
      return {};
    },
  };

  const askBos = async (model: string, runId: string): Promise<number | string | undefined> => {
    const { bos } = await studio.preview.request('describeModel', { folder: model });
    const verdict = followed?.run.id === runId ? followed.facts.verdict : undefined;
    return pickBos(bos, verdict?.betterTokenId);
  };

  const provider: vscode.WebviewViewProvider = {
    resolveWebviewView: (view) => {
      stop();
      rpc?.dispose();
      const connected = connectWebview(studio, view.webview, {
        name: 'inspector',
        title: 'Sample Inspector',
        host: inspectorHostContract,
        page: inspectorPageContract,
        handlers,
      });
      rpc = connected;
      view.onDidChangeVisibility(() => {
        if (!view.visible) stop();
      });
      view.onDidDispose(() => {
        connected.dispose();
        if (rpc !== connected) return;
        stop();
        rpc = undefined;
      });
    },
  };
  const parts = [
    vscode.window.registerWebviewViewProvider(viewId, provider),
    library.onDidChange(refresh),
  ];

  return {
    show: (runId) => {
      if (runId !== undefined) choose(runId);
      void vscode.commands.executeCommand(`${viewId}.focus`);
    },
    dispose: () => {
      stop();
      rpc?.dispose();
      for (const part of parts) part.dispose();
    },
  };
}
