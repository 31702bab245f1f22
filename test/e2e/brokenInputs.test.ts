/**
 * What a user can break, through the built command line: exactly one clear error with a code, the
 * place and what to do, the right exit code, no stack, and nothing half-written left behind.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun, listRuns } from '../../src/runs/runFolder.js';
import { buildPrograms, start, type Ended } from '../support/build.js';
import { unseen } from '../support/hostileTexts.js';
import { jsonLines, pairs, temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const { cli } = buildPrograms();
const sound = writeWorkspace(temporaryFolder());

/** A copy of a sound workspace to break. */
function copy(): string {
  const folder = temporaryFolder();
  cpSync(sound, folder, { recursive: true });
  return folder;
}

function runJob(folder: string, workspace = folder): Promise<Ended> {
  const args = ['run', join(folder, 'run.yaml'), '--json', '-C', workspace];
  return start(cli, args, folder).ended;
}

const errorLine = z.object({
  type: z.literal('error'),
  error: z.object({
    code: z.string(),
    message: z.string().min(10),
    remedy: z.string().min(10),
    place: z.object({
      file: z.string().optional(),
      line: z.number().optional(),
      field: z.string().optional(),
    }),
  }),
});

/** The one error of a failed command; everything else about its output is checked here. */
function onlyError({ code, out, err }: Ended, exitCode = 1) {
  expect(code, err).toBe(exitCode);
  const lines = err.trimEnd().split('\n');
  const heads = lines.filter((line) => /^[A-Z][A-Z_]+: /.test(line));
  expect(heads, err).toHaveLength(1);
  expect(lines[0]).toBe(heads[0]);
  expect(lines.filter((line) => line.startsWith('  → '))).toHaveLength(1);
  expect(err).not.toMatch(/^ {4}at /m);
  expect(err).not.toContain('node:internal');
  expect(err, "Node's code of a system error").not.toMatch(/\bE[A-Z]+: /);
  expect(err).not.toContain('INTERNAL');
  const errors = out
    .split('\n')
    .filter((line) => line.includes('"type":"error"'))
    .map((line) => errorLine.parse(JSON.parse(line)).error);
  expect(errors).toHaveLength(1);
  const [error] = errors;
  if (!error) throw new Error('no error');
  expect(heads[0]).toContain(error.code);
  return error;
}

/** Every file below a folder that is not what a run leaves on purpose. */
function halfWritten(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return names.filter((name) => /tmp-|\.tmp|\.old-|lock|\.cfs\/runs\/[^/]+\/model/.test(name));
}

function header(folder: string, change: (header: Record<string, TensorEntry>) => void): void {
  const file = join(folder, 'model', 'model.safetensors');
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const json = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, TensorEntry>;
  change(json);
  const text = Buffer.from(JSON.stringify(json));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([size, text, bytes.subarray(8 + length)]));
}
interface TensorEntry {
  shape: number[];
  data_offsets: [number, number];
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

interface Case {
  break: (folder: string) => void;
  code: string;
  /** The end of the place's file, its line, its field. */
  file: string;
  line?: number;
  field?: string;
}

const embedding = 'model.embed_tokens.weight';
const weights = 'model/model.safetensors';

const cases: Record<string, Case> = {
  'a truncated safetensors file': {
    break: (folder) => truncateSync(join(folder, weights), 100_000),
    code: 'SAFETENSORS_INVALID',
    file: weights,
  },
  'a safetensors file cut inside its header': {
    break: (folder) => truncateSync(join(folder, weights), 100),
    code: 'SAFETENSORS_INVALID',
    file: weights,
  },
  'overlapping tensors': {
    break: (folder) =>
      header(folder, (json) => {
        const norm = json['model.norm.weight'];
        const other = json['model.layers.0.input_layernorm.weight'];
        if (norm && other) norm.data_offsets = other.data_offsets;
      }),
    code: 'SAFETENSORS_INVALID',
    file: weights,
  },
  'an absurd shape': {
    break: (folder) =>
      header(folder, (json) => {
        const entry = json[embedding];
        if (entry) entry.shape = [2 ** 40, 2 ** 40];
      }),
    code: 'SAFETENSORS_INVALID',
    file: weights,
    field: embedding,
  },
  'an absurd header length': {
    break: (folder) => {
      const file = join(folder, weights);
      const bytes = readFileSync(file);
      bytes.writeBigUInt64LE(2n ** 60n);
      writeFileSync(file, bytes);
    },
    code: 'SAFETENSORS_INVALID',
    file: weights,
  },
  'a missing shard': {
    break: (folder) => {
      rmSync(join(folder, weights));
      const map = { weight_map: { [embedding]: 'model-00001-of-00002.safetensors' } };
      writeFileSync(join(folder, 'model/model.safetensors.index.json'), JSON.stringify(map));
    },
    code: 'SHARD_MISSING',
    file: 'model/model-00001-of-00002.safetensors',
  },
  'a missing tensor': {
    break: (folder) =>
      edit(join(folder, 'model/config.json'), (text) =>
        text.replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'),
      ),
    code: 'TENSOR_MISSING',
    file: weights,
    field: 'model.layers.1.input_layernorm.weight',
  },
  'the tokenizer of another model': {
    break: (folder) =>
      edit(join(folder, 'model/tokenizer.json'), (text) => {
        const json = JSON.parse(text) as { model: { vocab: Record<string, number> } };
        const { vocab } = json.model;
        for (let id = 0; id < 50; id++) vocab[`more${id}`] = 1024 + id;
        return JSON.stringify(json);
      }),
    code: 'TOKENIZER_MISMATCH',
    file: 'model/tokenizer.json',
  },
  'NaN weights': {
    break: (folder) => {
      const file = join(folder, weights);
      const bytes = readFileSync(file);
      bytes.writeFloatLE(NaN, bytes.length - 4000);
      writeFileSync(file, bytes);
    },
    code: 'WEIGHTS_NOT_FINITE',
    file: weights,
  },
  'CSV with unbalanced quotes': {
    break: (folder) => {
      const text = 'prompt,completion\nA,B\n"C,D\nE,F\n';
      writeFileSync(join(folder, 'dataset.csv'), text);
      edit(join(folder, 'run.yaml'), (yaml) => yaml.replace('"dataset.jsonl"', '"dataset.csv"'));
    },
    code: 'DATASET_INVALID',
    file: 'dataset.csv',
    line: 3,
  },
  'JSONL with a broken line': {
    break: (folder) =>
      edit(join(folder, 'dataset.jsonl'), (text) =>
        text.replace('"prompt":"Ticket 2:', '"prompt":Ticket 2:'),
      ),
    code: 'DATASET_INVALID',
    file: 'dataset.jsonl',
    line: 3,
  },
  'JSONL with a missing field': {
    break: (folder) => {
      const [first, second] = pairs(2);
      const rows = [first, { prompt: second?.prompt }, ...pairs(4, 5)];
      writeFileSync(join(folder, 'dataset.jsonl'), jsonLines(rows));
    },
    code: 'DATASET_INVALID',
    file: 'dataset.jsonl',
    line: 2,
    field: 'completion',
  },
  'JSONL with an empty response': {
    break: (folder) => {
      const rows = [...pairs(3), { prompt: 'Ticket 4: nothing.', completion: '' }];
      writeFileSync(join(folder, 'dataset.jsonl'), jsonLines(rows));
    },
    code: 'DATASET_INVALID',
    file: 'dataset.jsonl',
    line: 4,
    field: 'completion',
  },
};

describe('a broken input gives one error and leaves nothing half-written', () => {
  it.each(Object.entries(cases))('%s', async (_, { break: damage, code, ...place }) => {
    const { file, line, field } = place;
    const folder = copy();
    damage(folder);
    const error = onlyError(await runJob(folder));
    expect({ code: error.code, line: error.place.line, field: error.place.field }).toEqual({
      code,
      line: line ?? error.place.line,
      field: field ?? error.place.field,
    });
    expect(error.place.file).toBe(join(folder, file));
    expect(halfWritten(folder)).toEqual([]);
    expect(listRuns(folder)).toEqual([]);
  });

  it('a wrong run.yaml: exit code 2, and no run is made', async () => {
    const folder = copy();
    edit(join(folder, 'run.yaml'), (text) => text.replace('"learningRate": 0.003', '"lr": "x"'));
    const error = onlyError(await runJob(folder), 2);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.place).toMatchObject({ file: join(folder, 'run.yaml'), field: 'training.lr' });
    expect(listRuns(folder)).toEqual([]);
  });

  it('a run.yaml that is not there: exit code 2', async () => {
    const folder = temporaryFolder();
    const error = onlyError(await runJob(folder), 2);
    expect(error.code).toBe('CONFIG_UNREADABLE');
  });
});

describe('a cloned workspace whose names are no mere text', () => {
  it('shows them as text, and knows no family that objects inherit', async () => {
    const folder = copy();
    const name = '\u001b]0;mine\u0007\u001b[2Jred\u202E';
    edit(join(folder, 'run.yaml'), (text) =>
      JSON.stringify({ ...(JSON.parse(text) as object), name }),
    );
    edit(join(folder, 'model', 'config.json'), (text) =>
      JSON.stringify({ ...(JSON.parse(text) as object), model_type: 'constructor' }),
    );
    const error = onlyError(await runJob(folder));
    expect(error.code).toBe('MODEL_UNSUPPORTED');
    expect(error.message).toContain('“constructor”');

    createRun(folder, readRunConfig(join(folder, 'run.yaml')));
    const listed = await start(cli, ['runs', '-C', folder], folder).ended;
    expect(listed.out).toContain('\\u001b]0;mine\\u0007\\u001b[2Jred\\u202e');
    const json = await start(cli, ['runs', '-C', folder, '--json'], folder).ended;
    expect(JSON.parse(json.out)).toMatchObject({ name, state: 'interrupted' });
    for (const { out } of [listed, json]) expect(unseen.test(out), out).toBe(false);
  });

  it.skipIf(process.platform === 'win32')('lets none of them pass for a line of ours', async () => {
    const folder = copy();
    const model = join(folder, 'model');
    writeFileSync(join(model, 'LICENSE\nSAFE: yes'), 'x');
    const args = ['validate', join(folder, 'run.yaml')];
    const { out } = await start(cli, args, folder).ended;
    expect(out).toContain('LICENSE\n    SAFE: yes');
    edit(join(model, 'config.json'), (text) =>
      JSON.stringify({ ...(JSON.parse(text) as object), model_type: 'x\nSAFE: yes' }),
    );
    expect(onlyError(await runJob(folder)).message).toContain('x\nSAFE: yes');
  });

  it('says the same of a key that the YAML library has a warning for', async () => {
    const folder = copy();
    edit(join(folder, 'run.yaml'), (text) => {
      const fields = Object.entries(JSON.parse(text) as object);
      const lines = fields.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
      return `${lines.join('')}? ["a\u202Eb \u009b31m", x]\n: 3\n`;
    });
    const ended = await runJob(folder);
    const error = onlyError(ended, 2);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(unseen.test(ended.err), ended.err).toBe(false);
    expect(ended.err.trimEnd().split('\n')).toHaveLength(3);
  });
});

/** A file system of its own, or undefined where this user may not mount one. */
function mount(options: string): string | undefined {
  const folder = temporaryFolder();
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]);
  if (done.status !== 0) return undefined;
  afterAll(() => void spawnSync('umount', [folder]));
  return folder;
}

const small = mount('size=4m');
const readOnly = mount('size=1m,ro');

describe.skipIf(!small)('a full disk (needs the right to mount)', () => {
  const disk = small ?? '';
  const rest = join(disk, 'rest');
  const fill = (left: number): void => {
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(rest, Buffer.alloc(bavail * bsize - left));
  };

  it('is known before a run begins, which then leaves nothing', async () => {
    fill(1_200_000);
    const error = onlyError(await runJob(copy(), disk));
    expect(error.code).toBe('DISK_SHORT');
    expect(error.message).toMatch(/need 2\.\d+ MiB; 1\.\d+ MiB are free/);
    rmSync(rest);
    expect(readdirSync(disk)).toEqual([]);
  });

  it('fails a run with one error, which resumes once there is room', async () => {
    const folder = copy();
    const args = ['run', join(folder, 'run.yaml'), '--json', '-C', disk];
    const { child, ended } = start(cli, args, folder);
    // Somebody else fills the disk once the run has begun.
    let isFull = false;
    child.stdout?.on('data', (chunk: Buffer) => {
      if (isFull || !chunk.toString().includes('"sample_progress"')) return;
      isFull = true;
      fill(100_000);
    });
    const error = onlyError(await ended);
    expect(error.code).toBe('WRITE_FAILED');
    expect(error.message).toBe('Could not write: the disk is full.');
    expect(error.remedy).toContain('Free some disk space');
    expect(halfWritten(disk)).toEqual([]);

    expect(spawnSync('mount', ['-o', 'remount,size=40m', disk]).status).toBe(0);
    const [run] = listRuns(disk);
    const resumed = await start(cli, ['resume', run?.id ?? '', '-C', disk], folder).ended;
    expect(resumed).toMatchObject({ code: 0, err: '' });
    const whole = await runJob(folder);
    expect(whole.code).toBe(0);
    const model = (workspace: string): Buffer =>
      readFileSync(join(listRuns(workspace)[0]?.folder ?? '', 'model', 'model.safetensors'));
    expect(model(disk).equals(model(folder))).toBe(true);
  });
});

describe.skipIf(!readOnly)('a read-only folder (needs the right to mount)', () => {
  it('fails with one error before anything is computed', async () => {
    const error = onlyError(await runJob(copy(), readOnly));
    expect(error.code).toBe('WRITE_FAILED');
    expect(error.remedy).toContain('can be written to');
    expect(error.place.file).toContain(readOnly);
  });
});

describe('a file where the runs should be', () => {
  it('fails with one error', async () => {
    const folder = copy();
    mkdirSync(join(folder, '.cfs'));
    writeFileSync(join(folder, '.cfs', 'runs'), '');
    expect(onlyError(await runJob(folder)).code).toBe('WRITE_FAILED');
  });
});
