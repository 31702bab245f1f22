/** A run that does not fit, from the terminal: `validate` fails, `run` leaves nothing behind. */
import { existsSync } from 'node:fs';
import type * as Os from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import type { Io } from '../../../src/cli/io.js';
import { runCli } from '../../../src/cli/program.js';
import { createTerminal } from '../../../src/cli/terminal.js';
import * as commands from '../../../src/engine/commands.js';
import * as job from '../../../src/engine/job.js';
import { temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';

const machine = vi.hoisted((): { memory?: number } => ({}));
vi.mock('node:os', async (original) => {
  const os = await original<typeof Os>();
  return { ...os, totalmem: () => machine.memory ?? os.totalmem() };
});
afterEach(() => delete machine.memory);

async function cli(workspace: string, ...args: string[]) {
  const said = { out: '', err: '' };
  const io: Io = {
    ...createTerminal({ out: (text) => (said.out += text), err: (text) => (said.err += text) }),
    tty: false,
    columns: 80,
    cwd: workspace,
    debug: false,
    loadEngine: () => Promise.resolve({ ...job, ...commands }),
    interrupted: () => new AbortController().signal,
    workingOn: () => undefined,
  };
  return { code: await runCli(args, io), ...said };
}

it('is refused by validate and by run, with the same words', async () => {
  const workspace = writeWorkspace(temporaryFolder());
  expect((await cli(workspace, 'validate', 'run.yaml')).code).toBe(0);
  // Less than the runtime takes by itself.
  machine.memory = 2 ** 26;
  const checked = await cli(workspace, 'validate', 'run.yaml');
  expect(checked.code).toBe(1);
  expect(checked.out).toMatch(/run\.yaml \(model\): error MEMORY_SHORT: This run needs about/);
  const refused = await cli(workspace, 'run', 'run.yaml');
  expect(refused.code).toBe(1);
  expect(refused.err).toContain('MEMORY_SHORT: This run needs about');
  expect(refused.out).toContain('starting: reading the model');
  expect(existsSync(join(workspace, '.cfs'))).toBe(false);
});

it('is refused by generate and by evaluate too, before the weights are read', async () => {
  const workspace = writeWorkspace(temporaryFolder());
  machine.memory = 2 ** 26;
  const generated = await cli(workspace, 'generate', 'run.yaml');
  expect(generated.code).toBe(1);
  expect(generated.err).toMatch(/MEMORY_SHORT: This needs about .*, while it writes samples\./);
  const evaluated = await cli(workspace, 'evaluate', 'run.yaml');
  expect(evaluated.code).toBe(1);
  expect(evaluated.err).toMatch(
    /MEMORY_SHORT: This needs about .*, while it (scores|writes samples)\./,
  );
});
