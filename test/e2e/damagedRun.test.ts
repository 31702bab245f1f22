/**
 * A stopped run whose folder somebody changed, through the built command line: it is listed beside the
 * others with its problem, and not resumed; the error names file and line, and the folder stays as it
 * is.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defined } from '../../src/errors.js';
import { errorRecordSchema } from '../../src/protocol/records.js';
import { listRuns, runsFolder } from '../../src/runs/runFolder.js';
import { buildPrograms, start, type Ended } from '../support/build.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const { cli } = buildPrograms();
/** An administrator may read everything: somebody else must not be able to. */
const isRoot = process.getuid?.() === 0;
const somebody = isRoot ? { uid: 65534, gid: 65534 } : {};
if (isRoot) chmodSync(join(cli, '..', '..'), 0o755);
const somebodyCanStart =
  spawnSync(process.execPath, [cli, '--version'], somebody).status === 0 &&
  process.platform !== 'win32';
const workspace = writeWorkspace(temporaryFolder(), { training: { steps: 40 } });

interface Damage {
  file: string;
  edit: (text: string) => string;
  /** A file that is deleted as well. */
  without?: string;
  line?: number;
  field?: string;
}

const onLines = (edit: (lines: string[]) => string[]) => (text: string) =>
  `${edit(text.trimEnd().split('\n')).join('\n')}\n`;
const line = (lines: string[], at: number): string => defined(lines[at], 'line');

const damages: Record<string, Damage> = {
  'an edited event': {
    file: 'events.jsonl',
    edit: onLines((lines) => lines.with(3, line(lines, 3).replace(/"time":"2/, '"time":"3'))),
    line: 4,
  },
  'events in another order': {
    file: 'events.jsonl',
    edit: onLines((lines) => lines.with(3, line(lines, 4)).with(4, line(lines, 3))),
    line: 4,
  },
  'events cut off between two lines': {
    file: 'events.jsonl',
    edit: onLines((lines) => lines.slice(0, 9)),
    line: 10,
  },
  'events cut off, and what says where they end deleted': {
    file: 'events.jsonl',
    edit: onLines((lines) => lines.slice(0, 9)),
    without: 'logs.json',
    line: 10,
  },
  'a sample that is there twice': {
    file: 'samples.jsonl',
    edit: onLines((lines) => lines.toSpliced(2, 0, line(lines, 1))),
    line: 3,
  },
  'a token id that no model has': {
    file: 'samples.jsonl',
    edit: onLines((lines) => lines.with(1, line(lines, 1).replace('"tokens":[', '"tokens":[-'))),
    line: 2,
    field: 'tokens.0',
  },
  'held-out samples of which one is missing': {
    file: 'held-out-samples.jsonl',
    edit: onLines((lines) => lines.toSpliced(1, 1)),
    line: 2,
  },
  'an edited score of the base model': {
    file: 'base.json',
    edit: (text) => text.replace(/"score": ([\d.]+)/, '"score": 9$1'),
  },
  'base scores that are cut off': { file: 'base.json', edit: (text) => text.slice(0, 200) },
};

let stopped = '';

/** A copy of the stopped run beside it. */
function copy(id: string): string {
  const folder = join(runsFolder(workspace), id);
  cpSync(stopped, folder, { recursive: true });
  return folder;
}

function resume(id: string): Promise<Ended> {
  return start(cli, ['resume', id, '--json', '-C', workspace], workspace).ended;
}

const failure = z.object({ type: z.literal('error'), error: errorRecordSchema });

function errorOf({ out, err, code }: Ended): z.infer<typeof errorRecordSchema> {
  expect(code, err).toBe(1);
  return failure.parse(JSON.parse(defined(out.trimEnd().split('\n').at(-1), 'line'))).error;
}

/** All files, with their content and the time of the last change. */
function stateOf(folder: string): unknown[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
    const file = join(folder, name);
    const found = statSync(file);
    return [name, found.isFile() ? [found.mtimeMs, readFileSync(file, 'latin1')] : 'folder'];
  });
}

beforeAll(async () => {
  const { child, ended } = start(cli, ['run', 'run.yaml', '--json'], workspace);
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const before = out;
    out += chunk.toString();
    const last = /"train_step".*"step":9,/;
    // A second one would end the process at once.
    if (last.test(out) && !last.test(before)) child.kill('SIGINT');
  });
  expect((await ended).code).toBe(130);
  stopped = defined(listRuns(workspace)[0], 'run').folder;
  for (const [at, { file, edit, without }] of Object.values(damages).entries()) {
    const path = join(copy(`damage-${at}`), file);
    const text = readFileSync(path, 'utf8');
    const damaged = edit(text);
    expect(damaged).not.toBe(text);
    writeFileSync(path, damaged);
    if (without !== undefined) rmSync(join(dirname(path), without));
  }
});

describe('a stopped run', () => {
  it.each(Object.entries(damages).map(([name, damage], at) => [name, damage, at] as const))(
    'with %s is not resumed, and its folder stays as it is',
    async (_, { file, line, field }, at) => {
      const folder = join(runsFolder(workspace), `damage-${at}`);
      const before = stateOf(folder);
      const { code, place } = errorOf(await resume(basename(folder)));
      expect({ code, place }).toEqual({
        code: 'RECORD_BROKEN',
        place: {
          file: join(folder, file),
          ...(line === undefined ? {} : { line }),
          ...(field === undefined ? {} : { field }),
        },
      });
      expect(stateOf(folder)).toEqual(before);
    },
  );

  it('with a damaged folder is listed with its problem, beside the others', () => {
    const { stdout, status } = spawnSync(process.execPath, [cli, 'runs', '-C', workspace], {
      encoding: 'utf8',
    });
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${basename(stopped)} +stopped +cfs +\\S+$`, 'm'));
    expect(stdout).toMatch(/^damage-0 +stopped +cfs +\S+, RECORD_BROKEN$/m);
    expect(stdout).toContain('damage-0: RECORD_BROKEN: This line was edited');
    expect(stdout).toContain(`  at ${join(runsFolder(workspace), 'damage-0', 'events.jsonl:4')}`);
  });

  it('with an edited checkpoint goes on from the one before', async () => {
    const folder = copy('checkpoint');
    const checkpoints = join(folder, 'checkpoints');
    const [newest, older] = readdirSync(checkpoints).sort((a, b) => Number(b) - Number(a));
    const state = join(checkpoints, defined(newest, 'checkpoint'), 'state.json');
    writeFileSync(state, readFileSync(state, 'utf8').replace('"skipped": 0', '"skipped": 1'));
    const { code, out, err } = await resume('checkpoint');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(`state.json of the checkpoint of step ${newest} cannot be used`);
    expect(out).toContain(`"type":"run_started"`);
    expect(out).toMatch(new RegExp(`"run_started",.*"step":${older},`));
    expect(readdirSync(checkpoints)).toContain(`${newest}.damaged`);
  });

  const itAsSomebody = it.skipIf(!somebodyCanStart);
  itAsSomebody('with a checkpoint that may not be read says so, and nothing is renamed', () => {
    const folder = copy('forbidden');
    const [newest] = readdirSync(join(folder, 'checkpoints')).sort((a, b) => Number(b) - Number(a));
    const file = join(folder, 'checkpoints', defined(newest, 'checkpoint'), 'tensors.safetensors');
    chmodSync(file, 0);
    if (isRoot) spawnSync('chown', ['-R', '65534:65534', workspace]);
    const names = readdirSync(join(folder, 'checkpoints'));
    const args = [cli, 'resume', 'forbidden', '--json', '-C', workspace];
    const ran = spawnSync(process.execPath, args, { encoding: 'utf8', ...somebody });
    const ended = { out: ran.stdout, err: ran.stderr, code: ran.status, signal: ran.signal };
    const { code, place, remedy } = errorOf(ended);
    expect({ code, place }).toEqual({ code: 'READ_FAILED', place: { file } });
    expect(remedy).toContain('permission');
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(names);
  });
});
