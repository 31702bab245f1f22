/**
 * What a run tells someone who looks elsewhere: its progress in the status bar and in a notification,
 * how it ended, and after a restart of the editor, that it can be resumed.
 */
import * as vscode from 'vscode';
import { formatSeconds } from '../protocol/format.js';
import type { RunInfo } from '../protocol/runInfo.js';
import { showError } from './errors.js';
import { phaseText, progressText, runsToOffer } from './runText.js';
import type { RunEnd, Studio } from './studio.js';
import { showFailure, showInfo, statusItem, withProgress } from './ui.js';

/** Kept for the workspace: runs under way or waiting in this window, and those offered already. */
const underWayKey = 'cfs.runsUnderWay';
const offeredKey = 'cfs.runsOffered';

export function registerRunProgress(studio: Studio): vscode.Disposable {
  return vscode.Disposable.from(
    registerStatusBar(studio),
    registerNotification(studio),
    studio.service.onDidEnd((end) => void tellEnd(studio, end)),
    registerResumeOffer(studio),
  );
}

function registerStatusBar({ library, service }: Studio): vscode.Disposable {
  const item = statusItem('cfs.run', vscode.l10n.t('CFS Studio: run'));
  const update = (): void => {
    const runs = library.list();
    const run =
      (service.current === undefined ? undefined : library.get(service.current)) ??
      runs.find(({ state }) => state === 'running');
    if (run === undefined) return item.hide();
    const waiting = service.queue.length;
    item.show({
      icon: 'sync~spin',
      text: `CFS: ${progressText(run)}`,
      tooltip: [
        `${run.name}: ${phaseText(run)}`,
        ...(run.secondsWorked < 60
          ? []
          : [vscode.l10n.t('Time so far: {0}', formatSeconds(run.secondsWorked))]),
        ...(waiting === 0 ? [] : [vscode.l10n.t('Runs waiting: {0}', waiting)]),
        vscode.l10n.t('Click to show the forgetting curves.'),
      ].join('\n'),
      spoken: `CFS Studio, ${run.name}, ${phaseText(run)}`,
      command: {
        command: 'cfs.showCurves',
        title: vscode.l10n.t('Show Forgetting Curves'),
        arguments: [run.id],
      },
    });
  };
  update();
  return vscode.Disposable.from(library.onDidChange(update), service.onDidChange(update), item);
}

/** One notification for each run of this window, as long as it is under way. */
function registerNotification(studio: Studio): vscode.Disposable {
  const { service } = studio;
  let shown: string | undefined;
  const update = (): void => {
    if (service.current === shown) return;
    shown = service.current;
    if (shown !== undefined) void showProgress(studio, shown);
  };
  update();
  return service.onDidChange(update);
}

async function showProgress(studio: Studio, runId: string): Promise<void> {
  const { library, service } = studio;
  await withProgress(
    {
      // A run that was made just now is not in the list before its folder has been looked at.
      title: library.get(runId)?.name ?? library.open(runId).config.name,
      cancellable: true,
    },
    (tell, cancelled) =>
      new Promise<void>((resolve) => {
        let stopping = false;
        const report = (): void => {
          const run = library.get(runId);
          if (stopping) tell(vscode.l10n.t('Stopping after a checkpoint…'));
          else if (run !== undefined) tell(phaseText(run));
        };
        const subscriptions = vscode.Disposable.from(
          library.onDidChange(report),
          cancelled.onCancellationRequested(() => {
            stopping = true;
            report();
            service.stop(runId).catch((error: unknown) => showError(error, studio));
          }),
          service.onDidChange(() => {
            if (service.current === runId) return;
            subscriptions.dispose();
            resolve();
          }),
        );
        report();
      }),
  );
}

async function tellEnd(studio: Studio, { runId, outcome, error, removed }: RunEnd): Promise<void> {
  const name = nameOf(studio, runId);
  const [curves, report, inspect, train, resume, showLog] = [
    vscode.l10n.t('Show Forgetting Curves'),
    vscode.l10n.t('Open Report'),
    vscode.l10n.t('Inspect Samples'),
    vscode.l10n.t('Train on These Samples'),
    vscode.l10n.t('Resume'),
    vscode.l10n.t('Show Log'),
  ];
  const ask = (): Thenable<string | undefined> => {
    const why = error === undefined ? '' : `${error.message} ${error.remedy}`;
    switch (outcome) {
      case 'finished':
        return showInfo(vscode.l10n.t('“{0}” has finished.', name), curves, report);
      case 'samples':
        return showInfo(
          vscode.l10n.t('The samples of “{0}” are ready. Read them, then train.', name),
          inspect,
          train,
        );
      case 'stopped':
        return showInfo(
          vscode.l10n.t('“{0}” was stopped. It can be resumed at any time.', name),
          resume,
        );
      case 'failed':
        return showFailure(
          removed === true
            ? vscode.l10n.t('“{0}” was not started. {1}', name, why)
            : vscode.l10n.t('“{0}” failed. {1}', name, why),
          showLog,
        );
      case 'crashed':
        return showFailure(vscode.l10n.t('“{0}” was interrupted. {1}', name, why), resume, showLog);
    }
  };
  const run = (command: string): Thenable<unknown> =>
    vscode.commands.executeCommand(command, runId);
  const chosen = await ask();
  if (chosen === curves) await run('cfs.showCurves');
  if (chosen === report) await run('cfs.openReport');
  if (chosen === inspect) await run('cfs.inspectSamples');
  if (chosen === train || chosen === resume) await run('cfs.resumeRun');
  if (chosen === showLog) studio.log.show();
}

/** Once for each run: a window that was closed or reloaded, or an engine that died with it. */
function registerResumeOffer({ context, library, service, log }: Studio): vscode.Disposable {
  const memory = context.workspaceState;
  const lost = memory.get<string[]>(underWayKey, []);
  const offered = new Set(memory.get<string[]>(offeredKey, []));
  let asked = false;
  const remember = (): void => {
    void memory.update(offeredKey, [...offered]);
  };

  const keepUnderWay = (): void => {
    const underWay = [
      ...(service.current === undefined ? [] : [service.current]),
      ...service.queue,
    ];
    void memory.update(underWayKey, underWay);
    // A run that was started again may be interrupted again.
    for (const id of underWay) offered.delete(id);
    remember();
  };

  const look = (): void => {
    const runs = library.list();
    const found = runsToOffer(runs, lost, offered);
    const isLost = found.some(({ id }) => lost.includes(id));
    if (found.length === 0 || (asked && !isLost)) return;
    asked = true;
    // Those that are not asked about now have been interrupted for long.
    const old = runs.filter(({ state }) => state === 'interrupted');
    for (const { id } of [...found, ...old]) offered.add(id);
    remember();
    void offer(found);
  };

  const offer = async (found: readonly RunInfo[]): Promise<void> => {
    const [first] = found;
    if (first === undefined) return;
    const resume = vscode.l10n.t('Resume');
    // How its process was killed, where that can be told.
    const why = first.problem === undefined ? '' : ` ${first.problem.message}`;
    const message =
      found.length === 1
        ? vscode.l10n.t('“{0}” was interrupted. It can be resumed where it stopped.', first.name) +
          why
        : vscode.l10n.t(
            '{0} runs were interrupted. They can be resumed where they stopped.',
            found.length,
          );
    const later = vscode.l10n.t('Not Now');
    if ((await showInfo(message, resume, later)) !== resume) return;
    try {
      for (const { id } of found) service.resume(id);
    } catch (error) {
      await showError(error, { log });
    }
  };

  look();
  return vscode.Disposable.from(
    library.onDidChange(look),
    service.onDidChange(keepUnderWay),
    // Told by its own message already.
    service.onDidEnd(({ runId }) => {
      offered.add(runId);
      remember();
    }),
  );
}

function nameOf({ library }: Studio, runId: string): string {
  return library.get(runId)?.name ?? runId;
}
