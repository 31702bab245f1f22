/**
 * Secrets in the environment stay there: whatever a job or the editor's processes do, and however they
 * fail, nothing that we write or print holds one, in plain or encoded.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { defined, formatError, type CfsError } from '../../src/errors.js';
import { startProgram } from '../../src/host/childProcess.js';
import { describeEnvironment } from '../../src/host/environmentReport.js';
import { describeFailure } from '../../src/host/log.js';
import { createPreviewService } from '../../src/host/previewService.js';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun } from '../../src/runs/runFolder.js';
import { oneProcess, start } from '../support/build.js';
import { findSecrets, plantedSecrets } from '../support/secrets.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';
import { keepLog } from '../unit/host/hostSupport.js';

const bundles = inject('bundles');
const cli = join(bundles, 'cli.js');
const sound = writeWorkspace(temporaryFolder());

/**
 * A library of the process that computes. It prints its whole environment, and throws it, or breaks
 * something that a job needs.
 */
const talkative = `
const { isMainThread } = require('node:worker_threads');
const talk = process.env.CFS_TEST_TALK;
if (talk === 'break') JSON.parse = () => { throw new TypeError('out of luck'); };
else if (talk && isMainThread && process.send) {
  const all = JSON.stringify(process.env);
  require('node:fs').writeSync(2, all + '\\n');
  if (talk === 'throw') setTimeout(() => { throw new Error(all); }, 300);
}`;

/** A workspace to break, with a temporary folder and a cache of its own. */
function setUp() {
  const folder = temporaryFolder();
  const work = join(folder, 'work');
  const places = { TMPDIR: join(folder, 'tmp'), XDG_CACHE_HOME: join(folder, 'cache') };
  cpSync(sound, work, { recursive: true });
  for (const place of Object.values(places)) mkdirSync(place);
  return { folder, work, places };
}

/** Every byte of a folder, by file. */
function bytesIn(folder: string): [name: string, bytes: Buffer][] {
  return readdirSync(folder, { encoding: 'utf8', recursive: true })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => [file, readFileSync(file)]);
}

function leaks(places: readonly (readonly [string, Buffer | string])[]): string[] {
  return places.flatMap(([name, bytes]) =>
    findSecrets(bytes).map((found) => `${found} in ${name}`),
  );
}

const talk = join(temporaryFolder(), 'talk.cjs');
writeFileSync(talk, talkative);
const talking = { NODE_OPTIONS: `--require ${talk}` };

const put = (name: string, text: string) => (work: string) => writeFileSync(join(work, name), text);
/** Changes a line of `run.yaml`, which is JSON here. */
const set = (field: string, value: string) => (work: string) => {
  const file = join(work, 'run.yaml');
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(new RegExp(`^( *"${field}": ).*?(,?)$`, 'm'), `$1"${value}"$2`);
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
};
const run = ['run', 'run.yaml'];
const nothingDone = (): void => undefined;

interface Case {
  args: string[];
  prepare?: (work: string) => void;
  env?: Record<string, string>;
}
const works: Record<string, Case> = {
  'a run': { args: run },
  'a run for programs': { args: [...run, '--json'] },
  'a run in one process': { args: run, env: oneProcess.env ?? {} },
  'a run beside a library that prints everything': {
    args: run,
    env: { ...talking, CFS_TEST_TALK: 'print' },
  },
  validate: { args: ['validate', 'run.yaml'] },
  doctor: { args: ['doctor'] },
};
const fails: Record<string, Case> = {
  'a crash of a library that prints everything': {
    args: run,
    env: { ...talking, CFS_TEST_TALK: 'throw' },
  },
  'no such file': { args: ['run', 'nowhere.yaml'] },
  'a wrong setting': { args: run, prepare: set('method', 'magic') },
  'no such model': { args: run, prepare: set('model', 'none') },
  'a damaged model': { args: run, prepare: put('model/model.safetensors', 'no') },
  'a damaged dataset': { args: run, prepare: put('dataset.jsonl', '{"a') },
  'a provider that is not there': { args: run, prepare: set('provider', 'dml') },
  'an unknown run': { args: ['resume', 'nothing'] },
  // An error that is none of ours, with its stack.
  'a bug': { args: run, env: { ...talking, CFS_TEST_TALK: 'break', ...oneProcess.env } },
};

describe.each([
  ['what works', works, true],
  ['what fails', fails, false],
])('in the terminal, %s', (_, cases, isFine) => {
  it.each(Object.entries(cases))('%s keeps secrets', async (_name, { args, prepare, env }) => {
    const { folder, work, places } = setUp();
    (prepare ?? nothingDone)(work);
    const all = { ...plantedSecrets, ...places, CFS_DEBUG: '1', ...env };
    const { code, out, err } = await start(cli, args, work, { env: all }).ended;
    expect(leaks([...bytesIn(folder), ['stdout', out], ['stderr', err]])).toEqual([]);
    expect(code === 0, err).toBe(isFine);
  });
});

describe('in the editor', () => {
  const before = { ...process.env };
  beforeAll(
    () => void Object.assign(process.env, plantedSecrets, talking, { CFS_TEST_TALK: 'print' }),
  );
  afterAll(() => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  });

  it('the preview process and what is said of this machine keep secrets', async () => {
    const { log, lines } = keepLog();
    const service = createPreviewService({ script: join(bundles, 'preview.js'), log });
    try {
      const report = describeEnvironment(await service.request('doctor', {}));
      const failed = await service
        .request('describeModel', { folder: join(sound, 'nothing') })
        .catch((error: unknown) => `${describeFailure(error)}${formatError(error as CfsError)}`);
      expect(failed).toContain('MODEL_');
      // The library did print.
      expect(lines.join('\n')).toContain('CFS_TEST_TALK');
      const said = [
        ['report', report],
        ['error', JSON.stringify(failed)],
        ['log', lines.join('\n')],
      ] as const;
      expect(leaks(said)).toEqual([]);
    } finally {
      service.dispose();
    }
  });

  it('the engine keeps secrets', async () => {
    const { folder, work, places } = setUp();
    Object.assign(process.env, places);
    const made = createRun(work, readRunConfig(join(work, 'run.yaml')));
    const { log, lines } = keepLog();
    const told: unknown[] = [];
    await new Promise<void>((resolve) => {
      const program = startProgram({
        script: join(bundles, 'engine.js'),
        name: 'engine',
        nodePath: undefined,
        log,
        onMessage: (message) => {
          told.push(message);
          if (told.length === 1)
            program.send({ type: 'start', runFolder: made.folder, until: 'end' });
        },
        onExit: () => resolve(),
      });
    });
    expect(told.at(-1)).toEqual({ type: 'finished', stopped: false });
    expect(lines.join('\n')).toContain('CFS_TEST_TALK');
    const said = [
      ['log', lines.join('\n')],
      ['messages', JSON.stringify(told)],
    ] as const;
    expect(leaks([...bytesIn(folder), ...said])).toEqual([]);
  });
});

it('no part of the editor asks for settings of others, or for stored secrets', () => {
  const asked = bytesIn(join(import.meta.dirname, '..', '..', 'src')).flatMap(([file, bytes]) =>
    [...bytes.toString('utf8').matchAll(/getConfiguration\((?!'cfs'[,)])|\.secrets\b/g)].map(
      ([call]) => `${call} in ${file}`,
    ),
  );
  expect(asked).toEqual([]);
});

describe('the search', () => {
  it.each(Object.entries(plantedSecrets))('finds %s in every form', (name, value) => {
    const shift = (by: number): string => Buffer.from('x'.repeat(by) + value).toString('base64');
    const forms = [
      value,
      encodeURIComponent(value),
      ...[0, 1, 2].flatMap((by) => [
        shift(by),
        shift(by).replaceAll('+', '-').replaceAll('/', '_'),
      ]),
      Buffer.from(value).toString('hex'),
      JSON.stringify({ value }),
      JSON.stringify(JSON.stringify({ value })),
    ];
    for (const form of forms) expect(findSecrets(`before ${form} after`), form).toEqual([name]);
    expect(findSecrets(Buffer.from(value, 'utf16le'))).toEqual([name]);
    expect(findSecrets(defined(value.slice(0, 10), 'part'))).toEqual([]);
  });
});
