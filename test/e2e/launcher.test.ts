/**
 * The terminal's commands that compute, as people and the system treat them: Ctrl-C, `kill`, a terminal
 * that goes away, memory that runs out. There are two processes then, and it must look like one.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it, vi } from 'vitest';
import { defined } from '../../src/errors.js';
import { readVitals } from '../../src/runs/vitals.js';
import { listRuns, openRun, readEvents, type RunFolder } from '../../src/runs/runFolder.js';
import { start, type StartOptions } from '../support/build.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const cli = join(inject('bundles'), 'cli.js');
const workspace = writeWorkspace(temporaryFolder(), {
  training: { steps: 40, checkpointEvery: 8 },
  evaluation: { every: 20 },
});
const posix = process.platform !== 'win32';

/** A module that is loaded into the process that computes, to do there what a library might do. */
function inside(code: string): Record<string, string> {
  const file = join(temporaryFolder(), 'inside.cjs');
  writeFileSync(file, `if (process.env.CFS_STUDIO_LAUNCHED && process.send) {\n${code}\n}`);
  return { NODE_OPTIONS: `--require ${file}` };
}

/** Keeps the process busy when it is told to stop, whichever way it hears of it first, as a long step does. */
const busy = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20_000);';
const longStep = `for (const way of ['message', 'SIGINT']) process.once(way, () => { ${busy} });`;

function begin(name: string, options: StartOptions = {}, args: readonly string[] = []) {
  const folder = join(workspace, name);
  mkdirSync(folder, { recursive: true });
  const line = ['run', join(workspace, 'run.yaml'), '-C', folder, ...args];
  const { child, ended } = start(cli, line, workspace, options);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const run = (): RunFolder => openRun(defined(listRuns(folder)[0], 'run').folder);
  return {
    folder,
    child,
    ended,
    run,
    err: () => err,
    /** Resolves when the training has taken a few steps. */
    training: () =>
      vi.waitFor(() => expect(out).toMatch(/train_step.*"step":1\d,|checkpoint at step 8/), 60_000),
    /** The process that computes. */
    inner: () => Number(defined(readVitals(run().paths.vitals), 'vitals').holder.pid),
  };
}

const command = (name: string, ...args: string[]) => start(cli, [...args, '-C', name], workspace);
const endOf = (run: RunFolder) => readEvents(run).at(-1)?.type;
const model = (run: RunFolder) => readFileSync(join(run.paths.model, 'model.safetensors'));
/** That of the run which nothing happened to. */
const wholeModel = () =>
  model(openRun(defined(listRuns(join(workspace, 'whole'))[0], 'run').folder));

describe('a command that computes', () => {
  it('runs in a process that keeps its memory, and its log says whether that worked', async () => {
    const { ended, run } = begin('whole');
    expect(await ended).toMatchObject({ code: 0, signal: null, err: '' });
    const [started] = readEvents(run()).filter(({ type }) => type === 'run_started');
    expect(started).toMatchObject({
      allocator: {
        asked: process.platform === 'linux',
        cheap: expect.any(Boolean) as boolean,
        faultsPerMiB: expect.any(Number) as number,
      },
    });
    expect(existsSync(run().paths.vitals)).toBe(false);
    expect(existsSync(join(run().folder, 'stderr.log'))).toBe(false);
  });

  it('keeps what libraries write to stderr in the run, and tells its own errors', async () => {
    const env = inside(`require('node:fs').writeSync(2, 'no Vulkan driver here\\n');`);
    const { ended, run } = begin('noise', { env }, ['--until', 'samples']);
    expect(await ended).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(join(run().folder, 'stderr.log'), 'utf8')).toBe('no Vulkan driver here\n');

    const wrong = await start(cli, ['run', 'nowhere.yaml'], workspace, { env }).ended;
    expect(wrong.code).toBe(2);
    expect(wrong.err).toMatch(/^CONFIG_UNREADABLE: /);
    expect(wrong.err).not.toContain('Vulkan');
  });

  it('shows a crash, with the exit code and the last words of its process', async () => {
    const env = inside(`setTimeout(() => { throw new Error('out of luck'); }, 1200);`);
    const { code, err, out } = await begin('crash', { env }, ['--json']).ended;
    expect(code).toBe(1);
    expect(err).toMatch(
      /^ENGINE_DIED: The process ended unexpectedly \(exit code 1\)\.\n {2}at .*log/,
    );
    expect(err).toContain('| Error: out of luck');
    expect(JSON.parse(defined(out.trim().split('\n').at(-1), 'line'))).toMatchObject({
      error: { code: 'ENGINE_DIED' },
    });
  });
});

describe.runIf(posix)('Ctrl-C', () => {
  it('once, to both processes, stops the run after a checkpoint, and is told once', async () => {
    const { child, ended, training, run, folder } = begin('once', { detached: true });
    await training();
    process.kill(-defined(child.pid, 'pid'), 'SIGINT');
    const { code, signal, err } = await ended;
    expect({ code, signal }).toEqual({ code: 130, signal: null });
    expect(err.match(/stopping after a checkpoint/g)).toHaveLength(1);
    expect(endOf(run())).toBe('run_stopped');
    expect((await command(folder, 'resume', run().id).ended).code).toBe(0);
    expect(model(run())).toEqual(wholeModel());
  });

  it.each(['launcher', 'group'])('twice, to the %s, ends a step at once', async (whom) => {
    const { child, ended, training, run, err, folder } = begin(`twice-${whom}`, {
      detached: true,
      env: inside(longStep),
    });
    const pid = defined(child.pid, 'pid');
    const press = () => process.kill(whom === 'group' ? -pid : pid, 'SIGINT');
    await training();
    press();
    await vi.waitFor(() => expect(err()).toContain('press Ctrl-C again'), 20_000);
    press();
    expect(await ended).toMatchObject({ code: null, signal: 'SIGINT' });
    // Nobody asks why.
    const { out } = await command(folder, 'runs').ended;
    expect(out).toMatch(new RegExp(`${run().id} +interrupted +cfs +tiny\n$`));
  });

  it('before there is anything to keep ends both at once', async () => {
    const marker = join(temporaryFolder(), 'busy');
    const env = inside(`require('node:fs').writeFileSync(${JSON.stringify(marker)}, '');${busy}`);
    const { child, ended } = begin('early', { env });
    await vi.waitFor(() => expect(existsSync(marker)).toBe(true), 30_000);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGTERM', out: '', err: '' });
  });

  it('of a launcher that is gone counts as once', async () => {
    const { child, ended, training, run, inner } = begin('orphan', { detached: true });
    await training();
    const pid = inner();
    child.kill('SIGKILL');
    expect((await ended).signal).toBe('SIGKILL');
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), 60_000);
    expect(endOf(run())).toBe('run_stopped');
  });
});

describe.runIf(posix)('a process that is killed', () => {
  it('is told at once and in the list; its run resumes, and the log says so', async () => {
    const { ended, training, run, inner, folder } = begin('killed', {}, ['--json']);
    await training();
    process.kill(inner(), 'SIGKILL');
    const { code, err, out } = await ended;
    expect(code).toBe(137);
    expect(err).toMatch(
      /^PROCESS_KILLED: The process was ended from outside \(SIGKILL\)\. Memory was not short: it held \d.* before\.\n {2}→ Resume/,
    );
    expect(JSON.parse(defined(out.trim().split('\n').at(-1), 'line'))).toMatchObject({
      error: { code: 'PROCESS_KILLED' },
    });
    const list = (await command(folder, 'runs').ended).out;
    expect(list).toMatch(/interrupted +cfs +tiny, PROCESS_KILLED\n/);
    expect(list).toContain('Memory was not short');

    expect((await command(folder, 'resume', run().id).ended).code).toBe(0);
    expect(readEvents(run())).toContainEqual(
      expect.objectContaining({ type: 'warning', code: 'PROCESS_KILLED' }),
    );
    expect(existsSync(run().paths.vitals)).toBe(false);
    expect(model(run())).toEqual(wholeModel());
  });

  it('together with its launcher is told in the list', async () => {
    const { child, ended, training, folder } = begin('both', { detached: true });
    await training();
    process.kill(-defined(child.pid, 'pid'), 'SIGKILL');
    await ended;
    await vi.waitFor(async () => {
      const { out } = await command(folder, 'runs').ended;
      expect(out).toMatch(
        /PROCESS_KILLED: The process \d+ on .* ended without a word: it was killed/,
      );
    }, 30_000);
  });
});
