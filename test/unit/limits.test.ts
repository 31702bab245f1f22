/**
 * What comes from outside neither hangs nor eats the machine: each reader is given a megabyte made to
 * hurt it, in a process of its own, and has two seconds of the processor and 500 MB. `docs/limits.md`
 * lists the limits.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { temporaryFolder, tinyConfig, writeTinyModel } from '../support/tinyModel.js';

const program = fileURLToPath(new URL('../support/limitsChild.ts', import.meta.url));
const mostCpuMs = 2000;
const mostMb = 500;
const hungMs = 100_000;
const megabyte = 1_000_000;

const outcome = z.object({
  reader: z.string(),
  file: z.string(),
  cpuMs: z.number(),
  peakMb: z.number(),
  code: z.string().optional(),
  message: z.string().optional(),
  place: z.object({ file: z.string(), line: z.number(), field: z.string() }).partial().optional(),
});
type Outcome = z.infer<typeof outcome>;

interface Job {
  reader: string;
  file: string;
}

/** What came of each job; those after one that hung are missing. */
async function outcomesOf(jobs: readonly Job[]): Promise<Outcome[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', program], { timeout: hungMs });
  child.stdin.end(JSON.stringify(jobs));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(stderr).toBe('');
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => outcome.parse(JSON.parse(line)));
}

/** Whether all are refused, or read where `code` is undefined, within the bounds. */
async function expectRefusals(
  expected: readonly (Job & { code: string | undefined })[],
): Promise<void> {
  const found = await outcomesOf(expected.map(({ reader, file }) => ({ reader, file })));
  const short = ({ file, reader, code }: Job & { code?: string | undefined }): string =>
    `${reader} ${basename(file)}: ${code ?? 'read'}`;
  expect(found.map(short)).toEqual(expected.map(short));
  expect(found.filter(({ cpuMs, peakMb }) => cpuMs > mostCpuMs || peakMb > mostMb)).toEqual([]);
  for (const { message, place, code } of found) {
    if (code !== undefined) expect(place?.file ?? place?.field, message).toBeTruthy();
  }
}

const fill = (text: string, size = megabyte): string => text.repeat(Math.floor(size / text.length));
const list = (count: number, of: (i: number) => string, between = ''): string =>
  Array.from({ length: count }, (_, i) => of(i)).join(between);

const folder = temporaryFolder();
function write(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe('YAML', () => {
  // Just below what is refused for its length alone, and a megabyte.
  const texts = (size: number): Record<string, string> => ({
    keys: list(size / 10, (i) => `k${i}: 1\n`),
    'the same key': `model: m\n${fill('a: 1\n', 40_000)}`,
    'lists in lists': fill('[', size),
    'maps in maps': fill('{a: ', size),
    dashes: fill('- ', size),
    'a map below each': list(Math.floor(Math.sqrt(size)), (i) => `${' '.repeat(i)}a:\n`),
    documents: fill('---\n', size),
    tags: fill('! ', size),
    anchors: fill('&a ', size),
    quotes: fill('"', size),
    'aliases of one': `a: &a [1]\nb: [${fill('*a, ', size / 2)}]\n`,
    'aliases of aliases': list(
      12,
      (i) => `a${i + 1}: &a${i + 1} [${list(9, () => `*a${i}`, ', ')}]\n`,
    ).replace(/\*a0/g, 'x'),
    'an alias in its own list': 'a: &a [*a]\n',
    'a long line': `name: "${fill('x', size / 2)}"\nunknown: 1\n`,
    'lines of errors': fill('a: b: c\n', size),
  });
  it.each([
    ['run.yaml', 'CONFIG_INVALID', 'CONFIG_UNREADABLE'],
    ['task', 'TASK_INVALID', 'TASK_INVALID'],
  ])('of %s', async (reader, small, large) => {
    const jobs = [250_000, megabyte].flatMap((size) =>
      Object.entries(texts(size)).map(([name, text]) => {
        const file = write(`${name} ${size} ${reader}.yaml`, text);
        return { reader, file, code: text.length > 256 * 1024 ? large : small };
      }),
    );
    await expectRefusals(jobs);
  });
});

const deep = fill('[', megabyte / 2) + fill(']', megabyte / 2);
const deepObjects = `${fill('{"a":', megabyte - 100_000)}1`;

it('datasets', async () => {
  const invalid = 'JSON_BROKEN';
  const files: [string, string, string | undefined][] = [
    ['lists in lists.jsonl', deep, invalid],
    ['objects in objects.jsonl', deepObjects, invalid],
    ['lists in lists.json', `[${deep}]`, invalid],
    ['objects in objects.json', `[${deepObjects}`, invalid],
    ['a key twice.jsonl', '{"prompt":"a","completion":"b","prompt":"c"}\n', invalid],
    ['a key twice.json', '[{"prompt":"a","completion":{"b":1,"b":2}}]', invalid],
    ['broken lines.jsonl', fill('{\n'), invalid],
    ['keys.jsonl', `{${list(70_000, (i) => `"k${i}":1`, ',')}}\n`, 'DATASET_COLUMNS'],
    ['a long text.jsonl', `{"prompt":"a","completion":"${fill('x')}"}\n`, undefined],
    ['small rows.jsonl', fill('[]\n'), 'DATASET_COLUMNS'],
    ['columns.csv', `${list(140_000, (i) => `k${i}`, ',')}\n1\n`, 'CSV_HEADER'],
    ['columns without names.csv', fill(','), 'CSV_HEADER'],
    ['columns without names.tsv', fill('\t'), 'CSV_HEADER'],
    ['a wide row.csv', `prompt,completion\na,b\n${fill(',')}\n`, 'CSV_ROW_WIDTH'],
    [
      'ten thousand columns.csv',
      fill(`${list(10_000, (i) => `k${i % 10}${i}`, ',')}\n`),
      'DATASET_COLUMNS',
    ],
    ['a long field.csv', `prompt,completion\na,${fill('x')}\n`, undefined],
    ['an open quote.csv', `prompt,completion\na,"${fill('x\n')}`, 'CSV_QUOTES'],
    ['quotes.csv', fill('"'), 'DATASET_EMPTY'],
    ['an odd quote.csv', `${fill('"')}"`, 'CSV_QUOTES'],
    ['empty lines.csv', `prompt,completion\n${fill('\n')}`, 'DATASET_EMPTY'],
  ];
  await expectRefusals(
    files.map(([name, content, code]) => ({ reader: 'dataset', file: write(name, content), code })),
  );
});

it('data of tasks', async () => {
  const code = 'TASK_DATA_INVALID';
  const texts: [string, string, string | undefined][] = [
    ['deep.json', `[${deep}]`, code],
    ['deep.jsonl', deep, code],
    ['twice.jsonl', '{"a":1,"a":2}\n', code],
    ['columns.csv', `${list(140_000, (i) => `k${i}`, ',')}\n`, code],
    ['same.csv', fill('a,'), code],
    ['wide.csv', `a,b\n${fill(',')}\n`, code],
    ['lines.txt', fill('a\n'), undefined],
    ['empty.txt', fill('\n'), code],
  ];
  await expectRefusals(
    texts.map(([name, text, code]) => ({
      reader: 'task data',
      file: write(`task ${name}`, text),
      code,
    })),
  );
});

/** A safetensors file with this header. */
function safetensors(header: string, dataBytes = 0): Uint8Array {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
}

const empty = '{"dtype":"F32","shape":[0],"data_offsets":[0,0]}';
const word = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';

it('safetensors', async () => {
  const code = 'SAFETENSORS_INVALID';
  const headers: [string, string, string | undefined][] = [
    ['deep', `{"a":${deep}}`, code],
    ['a tensor twice', `{"a":${word},"a":${word}}`, code],
    ['many tensors', `{${list(17_000, (i) => `"t${i}":${empty}`, ',')}}`, undefined],
    [
      'dimensions',
      `{"a":{"dtype":"F32","shape":[${fill('1,', 900_000)}1],"data_offsets":[0,4]}}`,
      code,
    ],
    [
      'a shape too large',
      `{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}`,
      code,
    ],
    [
      'no shape',
      `{"a":{"dtype":"F32","shape":[${fill('"",', 900_000)}1],"data_offsets":[0,4]}}`,
      code,
    ],
  ];
  await expectRefusals(
    headers.map(([name, header, code]) => ({
      reader: 'safetensors',
      file: write(`${name}.safetensors`, safetensors(header, header.includes('[0,4]') ? 4 : 0)),
      code,
    })),
  );
});

describe('a model folder', () => {
  const base = writeTinyModel(join(folder, 'model'));
  let count = 0;
  const changed = (change: (folder: string) => void): string => {
    const copy = join(folder, `model ${count++}`);
    cpSync(base, copy, { recursive: true });
    change(copy);
    return copy;
  };
  const withFile = (name: string, content: string): string =>
    changed((copy) => writeFileSync(join(copy, name), content));
  const withConfig = (fields: object): string =>
    withFile('config.json', JSON.stringify({ ...tinyConfig, ...fields }));

  it('whose config.json promises more than the weights have', async () => {
    const fields = [
      { num_hidden_layers: 1e9 },
      { num_hidden_layers: 1000 },
      { hidden_size: 2 ** 40 },
      { vocab_size: 2 ** 40 },
      { intermediate_size: 2 ** 50 },
      { head_dim: 2 ** 40 },
      { num_attention_heads: 2 ** 40, num_key_value_heads: 1 },
      { max_position_embeddings: 2 ** 50 },
    ];
    const code = 'MODEL_CONFIG_INVALID';
    await expectRefusals(fields.map((one) => ({ reader: 'model', file: withConfig(one), code })));
  });

  it('with as many layers as a megabyte of tensors can name', async () => {
    const names = list(17_000, (i) => `"model.layers.${i}.x":${empty}`, ',');
    const file = changed((copy) => {
      writeFileSync(join(copy, 'model.safetensors'), safetensors(`{${names}}`));
      const config = { ...tinyConfig, num_hidden_layers: 17_000 };
      writeFileSync(join(copy, 'config.json'), JSON.stringify(config));
    });
    await expectRefusals([{ reader: 'model', file, code: 'MODEL_CONFIG_INVALID' }]);
  });

  it('whose other files are deep, or say a thing twice', async () => {
    const code = 'MODEL_FILE_INVALID';
    const jobs = [
      'config.json',
      'generation_config.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]
      .flatMap((name) => [
        withFile(name, `{"model_type":"llama","x":${deep}}`),
        withFile(name, '{"model_type":"llama","model_type":"llama"}'),
      ])
      .map((file) => ({ reader: 'model', file, code }));
    await expectRefusals(jobs);
  });

  it('whose index names a shard twice, in other words, or outside', async () => {
    const index = (text: string): string =>
      changed((copy) => {
        rmSync(join(copy, 'model.safetensors'));
        writeFileSync(
          join(copy, 'a.safetensors'),
          safetensors(`{"a":${word},"b":${word.replace('[0,4]', '[4,8]')}}`, 8),
        );
        writeFileSync(join(copy, 'model.safetensors.index.json'), text);
      });
    const invalid = 'MODEL_FILE_INVALID';
    await expectRefusals([
      {
        reader: 'model',
        file: index('{"weight_map":{"a":"a.safetensors","a":"b.safetensors"}}'),
        code: invalid,
      },
      {
        reader: 'model',
        file: index('{"weight_map":{"a":"a.safetensors","b":"./a.safetensors"}}'),
        code: invalid,
      },
      {
        reader: 'model',
        file: index('{"weight_map":{"a":"../a.safetensors"}}'),
        code: 'MODEL_PATH_OUTSIDE',
      },
      {
        reader: 'model',
        file: index(`{"weight_map":{${list(20_000, (i) => `"t${i}":"${i}.safetensors"`, ',')}}}`),
        code: 'SHARD_MISSING',
      },
    ]);
  });
});

it('records of runs', async () => {
  const code = 'RECORD_BROKEN';
  const texts = [
    deep,
    `{"results":${deep}}`,
    deepObjects,
    '{"excluded":[1],"excluded":[2]}',
    `{"excluded":[${fill('"",')}1]}`,
  ];
  await expectRefusals(
    texts.flatMap((text, i) => {
      const file = write(`record ${i}.json`, text);
      return ['sealed file', 'excluded.json'].map((reader) => ({ reader, file, code }));
    }),
  );
});

const logReaders = [
  'a log, read',
  'a log, checked',
  'a log, followed',
  'a log, counted',
  'a log, from its end',
];

it('logs of a megabyte', async () => {
  const texts: Record<string, string> = {
    'one line': `${fill('x')}\n{}\n{}\n`,
    'one deep line': `${deep}\n{}\n{}\n`,
    'empty lines': `${fill('\n')}{}\n`,
    'broken lines': `${fill('{\n')}{}\n`,
    'lines that are no records': fill('{}\n'),
  };
  const jobs = Object.entries(texts).flatMap(([name, content]) =>
    logReaders.map((reader) => {
      // These two look at seals, and at the last lines.
      const blind = reader === 'a log, counted' || reader === 'a log, from its end';
      const seen = !blind || (reader === 'a log, counted' && name === 'empty lines');
      const code = seen ? 'RECORD_BROKEN' : undefined;
      return { reader, file: write(`${name}.jsonl`, content), code };
    }),
  );
  await expectRefusals(jobs);
});

/** A file of zeros, which takes no room on the disk. */
function sparse(name: string, bytes: number, end: string): string {
  const file = write(name, '');
  const descriptor = openSync(file, 'r+');
  ftruncateSync(descriptor, bytes);
  closeSync(descriptor);
  writeFileSync(file, end, { flag: 'a' });
  return file;
}

it('a log that is one line of 100 MB, whole or not', async () => {
  const whole = sparse('long.jsonl', 100 * megabyte, '\n');
  const half = sparse('half.jsonl', 100 * megabyte, '');
  const told = logReaders.slice(0, 4);
  await expectRefusals([
    ...told.map((reader) => ({ reader, file: whole, code: 'RECORD_BROKEN' })),
    { reader: 'a log, from its end', file: whole, code: undefined },
    ...logReaders.map((reader) => ({ reader, file: half, code: undefined })),
  ]);
});

it.runIf(process.platform !== 'win32')(
  'waits for no pipe, device or folder in the place of a file',
  async () => {
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const inFolder = join(folder, 'a folder');
    mkdirSync(inFolder);
    const names: [string, string, string | undefined][] = [
      ['run.yaml', '', 'CONFIG_UNREADABLE'],
      ['task', '', 'TASK_INVALID'],
      ['task data', '', 'TASK_DATA_INVALID'],
      ['dataset', '.csv', 'DATASET_UNREADABLE'],
      ['dataset', '.json', 'DATASET_UNREADABLE'],
      ['dataset', '.jsonl', 'DATASET_UNREADABLE'],
      ['safetensors', '', 'MODEL_FILE_UNREADABLE'],
      ['sealed file', '', 'READ_FAILED'],
      ['excluded.json', '', 'READ_FAILED'],
      ...logReaders.map((reader): [string, string, string] => [reader, '', 'READ_FAILED']),
      ['a sample', '', 'READ_FAILED'],
      ['hash', '', 'READ_FAILED'],
      ['hash of a small file', '', 'READ_FAILED'],
      ['lock', '', 'READ_FAILED'],
      ['vitals', '', undefined],
    ];
    const jobs = names.flatMap(([reader, ending, code]) =>
      [pipe, '/dev/zero', inFolder].map((target, i) => {
        const file = join(folder, `${reader} ${i}${ending}`);
        symlinkSync(target, file);
        return { reader, file, code };
      }),
    );
    await expectRefusals(jobs);
  },
);
