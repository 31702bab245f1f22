/** The packaged extension in a real VS Code: there, and where people look for it. */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packagedExtension } from './packaged.js';
import { openWorkbench, type Workbench } from './workbench.js';

const commands = [
  'Fine-Tune with CFS…',
  'Select Base Model…',
  'Generate Context-Free Samples',
  'Inspect Samples',
  'Configure Mix',
  'Show Forgetting Curves',
  'Compare Runs',
  'Stop Run',
  'Resume Run',
  'Reveal Run Folder',
  'Open Report',
  'Check Environment',
  'Open Demo Workspace',
];

describe('the packaged extension', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-smoke-'));
  const workspace = join(folder, 'demo');
  let workbench: Workbench;

  beforeAll(async () => {
    cpSync('media/demo', workspace, { recursive: true });
    writeFileSync(join(workspace, 'notes.txt'), 'no dataset\n');
    workbench = await openWorkbench({ folder: workspace, extensions: [packagedExtension()] });
  });
  afterAll(async () => {
    await workbench.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has its own place in the activity bar', async () => {
    await workbench.page.getByRole('tab', { name: 'CFS Studio' }).first().waitFor();
  });

  it('offers to fine-tune a dataset by right-click, and no other file', async () => {
    expect(readdirSync(workspace)).toContain('notes.txt');
    expect(await workbench.explorerMenu('dataset.jsonl')).toContain('Fine-tune with CFS');
    expect(await workbench.explorerMenu('notes.txt')).not.toContain('Fine-tune with CFS');
  });

  it('lists its commands in the palette', async () => {
    // Those about a run are disabled, and so left out, while there is none.
    const listed = await workbench.commands('CFS: ');
    const always = commands.filter(
      (title) => !/Stop|Resume|Reveal|Report|Compare|Inspect|Show/.test(title),
    );
    expect(listed).toEqual(expect.arrayContaining(always.map((title) => `CFS: ${title}`)));
  });
});
