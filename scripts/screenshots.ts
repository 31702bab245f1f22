/**
 * `npm run screenshots`: every page in the dark, light and high-contrast themes, from the packaged
 * extension in a real VS Code, on two runs of the demo made for it. Pictures go to docs/images, or
 * into the folder given; they are looked at before they are kept.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { packagedExtension } from '../test/vscode/packaged.js';
import { openWorkbench, type Workbench } from '../test/vscode/workbench.js';

const root = resolve(import.meta.dirname, '..');
const target = resolve(process.argv[2] ?? join(root, 'docs', 'images'));
const work = join(root, '.cfs', 'screenshots');
const workspace = join(work, 'demo');

const themes = {
  dark: 'Default Dark Modern',
  light: 'Default Light Modern',
  'high-contrast': 'Default High Contrast',
};

/** What is shown on each picture, and how one gets there. */
const pictures: Record<string, (workbench: Workbench) => Promise<void>> = {
  walkthrough: async (workbench) => {
    await workbench.command('Welcome: Open Walkthrough...');
    await workbench.page.keyboard.type('Fine-tune without forgetting');
    await workbench.page.keyboard.press('Enter');
    await workbench.page.getByText('Try it on the demo model').first().waitFor();
    await workbench.page.waitForTimeout(2500);
  },
  problems: async (workbench) => {
    await workbench.showView('Explorer');
    await workbench.chooseInExplorerMenu('dataset-with-a-mistake.jsonl', 'Fine-tune with CFS');
    await workbench.webview('The first batch');
    await workbench.problems();
    await workbench.page.waitForTimeout(500);
  },
  mix: async (workbench) => {
    await workbench.showView('Explorer');
    await workbench.chooseInExplorerMenu('dataset.jsonl', 'Fine-tune with CFS');
    await workbench.webview('The first batch');
  },
  inspector: async (workbench) => {
    await workbench.showView('CFS Studio');
    // More room for the samples than the tree leaves them.
    await workbench.page.getByRole('button', { name: /^Runs Section/ }).click();
    await workbench.webview(/200 samples/);
    await workbench.page.waitForTimeout(1500);
  },
  curves: async (workbench) => {
    await workbench.showView('CFS Studio');
    await workbench.command('CFS: Show Forgetting Curves');
    await workbench.webview('Training loss');
    await workbench.page.waitForTimeout(2000);
  },
  compare: async (workbench) => {
    await workbench.command('CFS: Compare Runs');
    await workbench.pickAll();
    await workbench.webview('Settings that differ');
    await workbench.page.waitForTimeout(1500);
  },
};

if (!existsSync(workspace)) {
  mkdirSync(work, { recursive: true });
  cpSync(join(root, 'media', 'demo'), workspace, { recursive: true });
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' });
  for (const name of ['standard', 'cfs']) {
    const args = [join(root, 'dist', 'cli.js'), 'run', join(workspace, `${name}.yaml`)];
    execFileSync(process.execPath, [...args, '-C', workspace], { stdio: 'inherit' });
  }
}
mkdirSync(target, { recursive: true });
for (const [theme, label] of Object.entries(themes)) {
  for (const [name, show] of Object.entries(pictures)) {
    const wanted = process.argv.slice(3);
    if (process.env.ONLY_THEME && theme !== process.env.ONLY_THEME) continue;
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    // Each picture in a window of its own, so that none shows what another left open.
    const workbench = await openWorkbench({
      folder: workspace,
      extensions: [packagedExtension()],
      settings: { 'workbench.colorTheme': label },
      viewport: { width: 1440, height: 900 },
    });
    try {
      await show(workbench);
      await workbench.screenshot(join(target, `${name}-${theme}.png`));
      console.log(`${name}-${theme}.png`);
    } catch (error) {
      await workbench.screenshot(join(work, `failed-${name}-${theme}.png`));
      throw error;
    } finally {
      await workbench.close();
    }
  }
}
