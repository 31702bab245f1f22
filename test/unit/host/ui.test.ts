/** Whatever text says, the editor is given text: no link, no icon, no control. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type * as vscode from 'vscode';
import { CfsError } from '../../../src/errors.js';
import { showError } from '../../../src/host/errors.js';
import * as ui from '../../../src/host/ui.js';
import { hostileTexts, unseen } from '../../support/hostileTexts.js';

/** All texts that the editor was given, wherever they were to be shown. */
const shown = vi.hoisted((): string[] => []);
vi.mock('vscode', () => {
  const keep = (value: unknown): void => {
    if (typeof value === 'string') shown.push(value);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(keep);
  };
  const take = (...values: unknown[]): Promise<undefined> => {
    values.forEach(keep);
    return Promise.resolve(undefined);
  };
  const channel = { info: take, warn: take, error: take, show: take, dispose: take };
  const kept = (target: object): object =>
    new Proxy(target, {
      set: (object, key, value) => {
        keep(value);
        return Reflect.set(object, key, value);
      },
    });
  return {
    CancellationError: class extends Error {},
    ProgressLocation: { Notification: 15 },
    StatusBarAlignment: { Left: 1 },
    l10n: { t: (text: string) => text },
    window: {
      showInformationMessage: take,
      showWarningMessage: take,
      showErrorMessage: take,
      showQuickPick: (items: unknown) => take(items),
      createQuickPick: () => kept({}),
      createStatusBarItem: () => kept({ show: take, hide: take, dispose: take }),
      createOutputChannel: () => channel,
      withProgress: (options: unknown, work: (progress: unknown) => unknown) => {
        keep(options);
        return work({ report: keep });
      },
    },
    TreeItem: function (label: string) {
      keep(label);
      return kept({});
    },
    Diagnostic: function (_range: unknown, message: string) {
      keep(message);
    },
  };
});

/** VS Code's own pattern for links in notifications, `vs/base/common/linkedText.ts`. */
const link = /\[([^\]]+)\]\(((?:https?:\/\/|command:|file:)[^)\s]+)(?: (["'])(.+?)(\3))?\)/i;
/** And for icons in labels, `vs/base/common/iconLabels.ts`. */
const icon = /\$\([A-Za-z0-9-]+(?:~[A-Za-z]+)?\)/;

beforeEach(() => void shown.splice(0));

describe.each(hostileTexts)('%j', (text) => {
  const surfaces: Record<string, () => unknown> = {
    notifications: () => [ui.showInfo(text), ui.showWarning(text), ui.showFailure(text)],
    questions: () => ui.confirm(text, text, 'Yes'),
    progress: () => ui.withProgress({ title: text }, (report) => Promise.resolve(report(text))),
    lists: () => {
      const item = { label: text, description: text, detail: text };
      ui.openPicker().setItems([item]);
      return [ui.pickOne([item], {}), ui.pickMany([item], {})];
    },
    'the tree': () => ui.treeItem({ label: text, description: text, tooltip: text }),
    problems: () => ui.diagnostic({} as vscode.Range, text, 0),
    errors: () =>
      showError(new CfsError({ code: 'RUN_BUSY', message: text, remedy: text }), {
        log: ui.createLog('log'),
      }),
  };

  it.each(Object.keys(surfaces))('is text in %s', async (surface) => {
    await surfaces[surface]?.();
    const given = shown.filter((each) => each !== 'Yes');
    expect(given.length).toBeGreaterThan(0);
    for (const each of surface === 'errors' ? given.slice(1) : given) {
      expect(each).not.toMatch(link);
      expect(each).not.toMatch(icon);
    }
    for (const each of given) expect(unseen.test(each), each).toBe(false);
  });

  it('is text in the status bar, beside our own icon', () => {
    const command = { command: 'c', title: 't' };
    ui.statusItem('id', 'name').show({
      icon: 'sync~spin',
      text,
      tooltip: text,
      spoken: text,
      command,
    });
    const [, label = '', ...others] = shown;
    expect(label.replace('$(sync~spin) ', '')).not.toMatch(icon);
    for (const each of [label, ...others]) expect(unseen.test(each)).toBe(false);
  });
});
