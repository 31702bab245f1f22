import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Engine, Io } from '../../../src/cli/io.js';
import { needsLauncher } from '../../../src/cli/launcher.js';
import { runCli } from '../../../src/cli/program.js';
import { createTerminal } from '../../../src/cli/terminal.js';
import { CfsError } from '../../../src/errors.js';
import { errorRecord } from '../../../src/protocol/errorRecord.js';
import { addReports } from '../../../src/engine/dataset.js';
import { storeRows } from '../../../src/mixer/rowStore.js';
import { listRuns, openRun } from '../../../src/runs/runFolder.js';
import { openRunWriter } from '../../../src/runs/runWriter.js';
import { runEventSchema } from '../../../src/protocol/records.js';
import { madeUpEvents, madeUpResults, madeUpSamples, timeAt } from '../runs/madeUpRun.js';

const failure = new CfsError({
  code: 'TRAINING_DIVERGED',
  message: 'The loss was not finite three times.',
  remedy: 'Lower the learning rate.',
});

let workspace: string;
let out: string;
let err: string;
let abort: AbortController;

beforeEach(() => {
  workspace = mkdtempSync(join(tmpdir(), 'cfs-cli-'));
  out = '';
  err = '';
  abort = new AbortController();
  writeFileSync(join(workspace, 'run.yaml'), 'model: m\ndataset: d.jsonl\nname: poems\n');
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

/** Writes a made-up run; fails or stops where it is told to, as a real engine would. */
function fakeEngine(ending: 'finish' | 'fail' | 'crash' = 'finish'): Engine {
  return {
    runJob: async ({ run, resume, until, signal, onEvent }) => {
      const writer = openRunWriter(run);
      const emit = (event: Parameters<typeof onEvent>[0]): void => {
        writer.appendEvent(event);
        onEvent(event);
      };
      try {
        for (const event of madeUpEvents()) {
          if (signal.aborted) return emit({ type: 'run_stopped', time: timeAt(9), step: 5 });
          if (until === 'samples' && event.type === 'phase') {
            return emit({ type: 'run_stopped', time: timeAt(9), step: 0 });
          }
          if (event.type === 'run_finished' && ending !== 'finish') {
            if (ending === 'crash') throw new TypeError('x is not a function');
            const step = 600;
            emit({ type: 'run_failed', time: timeAt(9), step, error: errorRecord(failure) });
            throw failure;
          }
          if (event.type === 'run_started' && resume) emit({ ...event, step: 5 });
          else emit(event);
        }
        writer.writeResults(madeUpResults());
        await Promise.resolve();
      } finally {
        writer.close();
      }
    },
    checkRunCommand: () =>
      Promise.resolve({
        trained: storeRows([]),
        downstream: undefined,
        report: addReports([]),
        warnings: [],
      }),
    generateCommand: ({ count, onSample }) => {
      madeUpSamples(Array.from({ length: count ?? 2 }, () => 'a\u001b[31m b')).forEach(onSample);
      return Promise.resolve({
        bos: { id: 1, token: '<s>', reason: 'tokenizer_config.json' },
        diagnostics: {
          samples: count ?? 2,
          tokens: 4,
          perplexity: 3,
          distinct1: 1,
          distinct2: 1,
          distinct3: 1,
          exactDuplicates: 1,
          nearDuplicates: 1,
          tokenEntropy: 1,
          stoppedByEos: 1,
          perSample: {},
        },
      });
    },
    validateCommand: () =>
      Promise.resolve({
        bos: { id: 1, token: '<s>', reason: 'tokenizer_config.json' },
        findings: [
          {
            severity: 'error',
            field: 'training.batchRows',
            error: { code: 'BATCH_TOO_SMALL', message: 'Too few.', remedy: 'Raise it.', place: {} },
          },
          {
            severity: 'warning',
            field: 'model',
            error: { code: 'X', message: 'Odd.', remedy: 'Look.', place: { file: '/m' } },
          },
        ],
        tasks: [
          { file: '/a/facts.yaml', own: 'facts', name: 'facts (a/facts.yaml)' },
          { file: '/sums.yaml', own: 'sums', name: 'sums' },
        ],
        licenses: ['LICENSE'],
        dataset: {
          files: [{ file: 'd.jsonl', columns: ['a'], unusedColumns: [], rows: 2 }],
          rows: 2,
          kept: 1,
          truncated: 0,
          problems: [
            {
              severity: 'error',
              code: 'FIELD_MISSING',
              message: 'No response.',
              remedy: 'Add it.',
              file: 'd.jsonl',
              line: 2,
              field: 'response',
            },
          ],
          counts: { FIELD_MISSING: 1 },
          errors: 1,
          warnings: 0,
        },
      }),
    evaluateCommand: ({ model }) =>
      Promise.resolve({
        tasks: [{ task: model, metric: 'acc', higherIsBetter: true, score: 1, stderr: 0, n: 3 }],
      }),
    doctorCommand: () =>
      Promise.resolve({
        versions: { node: '20' },
        system: { platform: 'x', cpu: 'y', cores: 2, memory: 2 ** 31, freeMemory: 2 ** 30 },
        providers: [
          { name: 'cpu', works: ending === 'finish', chosen: true, milliseconds: 3 },
          { name: 'cuda', works: false, chosen: false, reason: 'no library', remedy: 'get it' },
        ],
      }),
  };
}

function cli(args: string[], engine = fakeEngine(), world: Partial<Io> = {}): Promise<number> {
  return runCli(args, {
    ...createTerminal({ out: (text) => (out += text), err: (text) => (err += text) }),
    tty: false,
    columns: 80,
    cwd: workspace,
    debug: false,
    loadEngine: () => Promise.resolve(engine),
    interrupted: () => abort.signal,
    workingOn: () => undefined,
    ...world,
  });
}

describe('exit codes', () => {
  it('is 0 when a run finishes, and shows the scores', async () => {
    expect(await cli(['run', 'run.yaml'])).toBe(0);
    expect(out).toMatch(/records +acc +0\.58 +0\.5259 +−0\.0541/);
    expect(listRuns(workspace).map(({ state }) => state)).toEqual(['finished']);
    expect(err).toBe('');
  });

  it('is 1 with code, message and remedy, but no stack, when the job fails', async () => {
    expect(await cli(['run', 'run.yaml'], fakeEngine('fail'))).toBe(1);
    expect(err).toContain('TRAINING_DIVERGED: The loss was not finite three times.');
    expect(err).toContain('→ Lower the learning rate.');
    expect(err).not.toContain(' at ');
  });

  it('is 1 for a bug, whose stack is shown only on demand', async () => {
    expect(await cli(['run', 'run.yaml'], fakeEngine('crash'))).toBe(1);
    expect(err).toContain('INTERNAL: x is not a function');
    expect(err).not.toMatch(/\n +at /);
    await cli(['run', 'run.yaml'], fakeEngine('crash'), { debug: true });
    expect(err).toMatch(/\n +at /);
  });

  it('is 2 for a wrong configuration, with line and field, and makes no run', async () => {
    writeFileSync(join(workspace, 'run.yaml'), 'model: m\ndataset: d\nlearningRate: 3\n');
    expect(await cli(['run', 'run.yaml'])).toBe(2);
    expect(err).toMatch(/learningRate.*training\.learningRate[^]*run\.yaml:3:1/);
    expect(existsSync(join(workspace, '.cfs'))).toBe(false);
  });

  it.each([
    [['run', 'no.yaml']],
    [['run']],
    [['dance']],
    [['generate', 'run.yaml', '-n', 'x']],
    [['run', 'run.yaml', '--until', 'lunch']],
  ])('is 2 for %j', async (args) => {
    expect(await cli(args)).toBe(2);
    expect(err).not.toBe('');
  });

  it('is 0 for help and version', async () => {
    expect(await cli(['--help'])).toBe(0);
    expect(await cli(['--version'])).toBe(0);
    expect(out).toContain('cfs-studio');
  });

  it('is 130 when stopped, and resume continues', async () => {
    abort.abort();
    expect(await cli(['run', 'run.yaml'])).toBe(130);
    const [run] = listRuns(workspace);
    expect(run?.state).toBe('stopped');
    expect(out).toContain(`cfs-studio resume ${run?.id}`);

    abort = new AbortController();
    expect(await cli(['resume', run?.id ?? ''])).toBe(0);
    expect(out).toContain('resuming from step 5');
    expect(await cli(['resume', run?.id ?? ''])).toBe(1);
    expect(err).toContain('RUN_FINISHED');
  });

  it('is 0 when a run was asked to end at its samples, and resume continues', async () => {
    expect(await cli(['run', 'run.yaml', '--until', 'samples'])).toBe(0);
    const [run] = listRuns(workspace);
    expect(run?.state).toBe('stopped');
    expect(out).toMatch(
      /the samples are written; nothing was trained yet\nsamples: .*samples\.jsonl\nresume with: cfs-studio resume/,
    );
    expect(out).not.toContain('stopped after');
    expect(await cli(['resume', run?.id ?? '', '--until', 'samples'])).toBe(0);
    expect(listRuns(workspace)[0]?.state).toBe('stopped');
    expect(await cli(['resume', run?.id ?? ''])).toBe(0);
    expect(listRuns(workspace)[0]?.state).toBe('finished');
  });

  it('is 130 when stopped before the samples are generated', async () => {
    abort.abort();
    expect(await cli(['run', 'run.yaml', '--until', 'samples'])).toBe(130);
    expect(out).toContain('stopped after step 5');
    expect(out).not.toContain('are written');
  });

  it('is 1 for a run that does not exist', async () => {
    expect(await cli(['resume', 'nothing'])).toBe(1);
    expect(err).toContain('RUN_NOT_FOUND');
  });

  it('is 1 when validation finds errors and when no provider works', async () => {
    expect(await cli(['validate', 'run.yaml'])).toBe(1);
    expect(out).toContain('d.jsonl:2 (response): error FIELD_MISSING: No response.');
    expect(out).toContain(
      '/a/facts.yaml: its task is called “facts (a/facts.yaml)” in this run\n' +
        `${join(workspace, 'run.yaml')} (training.batchRows): error BATCH_TOO_SMALL: Too few.\n` +
        '  → Raise it.\n/m: warning X: Odd.\n  → Look.\n',
    );
    expect(out).toContain('license, copied to the model: LICENSE\n');
    expect(out).not.toContain('sums.yaml');
    expect(await cli(['doctor'])).toBe(0);
    expect(await cli(['doctor'], fakeEngine('fail'))).toBe(1);
    expect(out).toContain('no library → get it');
  });
});

describe('--json', () => {
  it('prints the run and its events, one per line, and nothing else', async () => {
    expect(await cli(['run', 'run.yaml', '--json'])).toBe(0);
    const [first, ...events] = out.trimEnd().split('\n');
    const run = JSON.parse(first ?? '') as { type: string; folder: string };
    expect(run.type).toBe('run');
    expect(events.map((line) => runEventSchema.parse(JSON.parse(line)))).toEqual(madeUpEvents());
    expect(existsSync(join(run.folder, 'events.jsonl'))).toBe(true);
  });

  it('prints an error as data too', async () => {
    expect(await cli(['runs', '--json'])).toBe(0);
    expect(await cli(['report', 'nothing', '--json'])).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ type: 'error', error: { code: 'RUN_NOT_FOUND' } });
  });
});

describe('progress', () => {
  it('moves one line on a terminal, no wider than it, and leaves it clean', async () => {
    expect(await cli(['run', 'run.yaml'], fakeEngine(), { tty: true, columns: 60 })).toBe(0);
    const cleared = '\r\u001b[K';
    const drawn = out.split(cleared).filter((part) => part.startsWith('training'));
    expect(drawn).toHaveLength(601);
    expect(drawn[300]).toContain('██████████░░░░░░░░░░  50 % 300/600');
    expect(Math.max(...drawn.map((text) => [...(text.split('\n')[0] ?? '')].length))).toBe(59);
    expect(out).toContain(`${cleared}evaluation at step 600`);
    expect(out).toMatch(/\nfinished after step 600\n/);
  });

  it('writes a line every ten seconds to a log', async () => {
    await cli(['run', 'run.yaml']);
    expect(out).not.toContain('\u001b');
    // 600 steps of one second each.
    expect(out.match(/^training .*left$/gm)).toHaveLength(60);
    expect(out.match(/^evaluation at step/gm)).toHaveLength(13);
    expect(out).toContain('warning ROWS_CUT');
  });
});

describe('other commands', () => {
  it('shows samples without their control characters, and saves them', async () => {
    expect(await cli(['generate', 'run.yaml', '-n', '3', '-o', 'samples.jsonl'])).toBe(0);
    expect(out.match(/^--- sample/gm)).toHaveLength(3);
    expect(out).not.toContain('\u001b');
    const saved = readFileSync(join(workspace, 'samples.jsonl'), 'utf8').trimEnd().split('\n');
    expect(saved).toHaveLength(3);
  });

  it('evaluates another model where it is told to', async () => {
    expect(await cli(['evaluate', 'run.yaml', '-m', 'other'])).toBe(0);
    expect(out).toContain(join(workspace, 'other'));
  });

  it('lists runs and writes the report of two', async () => {
    await cli(['run', 'run.yaml']);
    await cli(['run', 'run.yaml']);
    const ids = listRuns(workspace).map(({ id }) => id);
    out = '';
    expect(await cli(['runs'])).toBe(0);
    expect(out.trimEnd().split('\n')).toHaveLength(3);
    expect(await cli(['report', ...ids, '-o', 'both.html'])).toBe(0);
    expect(readFileSync(join(workspace, 'both.html'), 'utf8')).toContain('<h2>Overview</h2>');
  });
});

describe('the report of a damaged run', () => {
  it('shows what can be read and says what cannot, in the page and to the terminal', async () => {
    await cli(['run', 'run.yaml']);
    await cli(['run', 'run.yaml']);
    const [damaged, sound] = listRuns(workspace);
    const { paths } = openRun(damaged?.folder ?? '');
    const edit = (file: string, from: RegExp, to: string): void =>
      writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
    edit(paths.events, /"step":7,"loss":/, '"step":7,"loss":1');
    edit(paths.events, /\n.*run_finished.*\n$/, '\n');
    edit(paths.results, /"steps": 600/, '"steps": 6000');
    writeFileSync(paths.samples, '{"index":0}\n{}\n');

    err = '';
    expect(await cli(['report', damaged?.id ?? '', sound?.id ?? ''])).toBe(0);
    expect(err).toMatch(
      /^The report shows what can be read; these parts are damaged or missing:\n/,
    );
    expect(err.match(/^RECORD_BROKEN: /gm)).toHaveLength(3);
    expect(err).toContain(`  at ${paths.events}:12\n`);
    expect(err).toContain(`  at ${paths.results}\n`);
    expect(err).toContain(`  at ${paths.samples}:1`);
    const page = readFileSync(paths.report, 'utf8');
    const notice = /<div class="panel warnings damage" role="alert">[^]*?<\/div>/.exec(page)?.[0];
    expect(notice).toMatch(
      /Parts of the folder of the run poems \(CFS\) 1 are damaged or cannot be read\. [^]*<p>events\.jsonl:12: This line was edited/,
    );
    expect(notice).toContain('<p>results.json: ');
    expect(notice).not.toContain('(CFS) 2');
    expect(page).not.toContain(workspace);
    // The curves are there; a score that was edited is not.
    expect(page).toContain('Training loss');
    expect(page).not.toContain('6000');

    out = '';
    expect(await cli(['report', damaged?.id ?? '', '--json'])).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      report: paths.report,
      problems: [{ code: 'RECORD_BROKEN' }, { code: 'RECORD_BROKEN' }, { code: 'RECORD_BROKEN' }],
    });
    err = '';
    expect(await cli(['report', sound?.id ?? ''])).toBe(0);
    expect(err).toBe('');
    expect(readFileSync(openRun(sound?.folder ?? '').paths.report, 'utf8')).not.toContain(
      'class="panel warnings damage"',
    );
  });
});

describe('the launcher', () => {
  it('starts a process for the commands that compute, and for no others', async () => {
    const commands = ['run', 'resume', 'generate', 'validate', 'evaluate', 'doctor'];
    await cli(['run', 'run.yaml', '--until', 'samples']);
    const [{ id = '' } = {}] = listRuns(workspace);
    for (const command of [...commands, 'report', 'runs']) {
      let loaded = false;
      const loadEngine = (): Promise<Engine> => {
        loaded = true;
        return Promise.reject(failure);
      };
      const argument = { resume: [id], report: [id], doctor: [], runs: [] }[command];
      await cli([command, ...(argument ?? ['run.yaml'])], fakeEngine(), { loadEngine });
      expect(needsLauncher([command], {}), command).toBe(loaded);
    }
    for (const args of [[], ['--help'], ['--version'], ['no-such-command']]) {
      expect(needsLauncher(args, {})).toBe(false);
    }
    expect(needsLauncher(['run'], { CFS_STUDIO_NO_LAUNCHER: '1' })).toBe(false);
  });
});

describe('interrupted', () => {
  it('aborts at the first Ctrl-C and ends at the second, even while computing', async () => {
    const module = fileURLToPath(new URL('../../../src/cli/interrupt.ts', import.meta.url));
    const code = `
      const { interrupted } = await import(${JSON.stringify(module)});
      interrupted({ err: () => undefined }).addEventListener('abort', () => {
        console.log('aborted');
        setTimeout(() => { for (;;); });
      });
      setInterval(() => {}, 1000);
      console.log('ready');`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', code];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const said = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]).trim();
    expect(await said()).toBe('ready');
    child.kill('SIGINT');
    expect(await said()).toBe('aborted');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
  });
});
