/** Readers: what people's files look like, and what is said when they are broken. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  mkdirSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CfsError } from '../../../src/errors.js';
import { openRows } from '../../../src/mixer/readers/open.js';
import { MAX_ROW_LENGTH, type RawRow } from '../../../src/mixer/readers/reader.js';
import { expectError } from '../../support/expectError.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cfs-readers-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, content: string | Uint8Array): string {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
}

async function readAll(file: string, list?: string): Promise<RawRow[]> {
  const rows: RawRow[] = [];
  for await (const row of openRows(file, list)) rows.push(row);
  return rows;
}

async function failureOf(file: string, list?: string): Promise<Partial<CfsError>> {
  return readAll(file, list).then(
    () => expect.fail('the file was read without an error'),
    ({ code, place, message }: CfsError) => ({ code, place, message }),
  );
}

const bom = '\uFEFF';
const twoRows = [
  { line: 1, record: { a: 'x', b: 'ü' } },
  { line: 2, record: { a: 'y', b: '' } },
];

describe('JSON Lines', () => {
  it.each([
    ['line feeds', '{"a":"x","b":"ü"}\n{"a":"y","b":""}\n'],
    ['no last line feed', '{"a":"x","b":"ü"}\n{"a":"y","b":""}'],
    ['carriage returns', '{"a":"x","b":"ü"}\r\n{"a":"y","b":""}\r\n'],
    ['a byte order mark', `${bom}{"a":"x","b":"ü"}\n{"a":"y","b":""}\n`],
    ['blank lines at the end', '{"a":"x","b":"ü"}\n{"a":"y","b":""}\n\n  \r\n'],
  ])('reads rows with %s', async (_, content) => {
    expect(await readAll(fileOf('rows.jsonl', content))).toEqual(twoRows);
  });

  it('counts blank lines but skips them', async () => {
    const rows = await readAll(fileOf('blank.jsonl', '\n{"a":1}\n\n{"a":2}\n'));
    expect(rows.map((row) => row.line)).toEqual([2, 4]);
  });

  it('reports every broken line with its column and reads the others', async () => {
    const file = fileOf(
      'broken.jsonl',
      '{"a":1}\n{"a": x}\n{"a":2}\n{"a":3\r\n{"a":"ü" 4}\n[1,]\n',
    );
    const rows = await readAll(file);
    expect(rows.map(({ line, error }) => [line, error?.code, error?.place.column])).toEqual([
      [1, undefined, undefined],
      [2, 'JSON_BROKEN', 7],
      [3, undefined, undefined],
      [4, 'JSON_BROKEN', 7],
      [5, 'JSON_BROKEN', 10],
      [6, 'JSON_BROKEN', 4],
    ]);
    expect(rows[1]?.error?.place.file).toBe(file);
  });

  it.each([
    ['{"a":"x}', 'a closing quote is missing'],
    ['{"a":1', 'a comma or a closing bracket is missing'],
    ['{"a":', 'it ends too early; a bracket is missing'],
    ['{a:1}', 'a column name must be in double quotes'],
    ['{"a":1} x', 'there is something after its end'],
    ['{"a":"x\ty"}', 'a tab or line break must be written as \\t or \\n'],
    ['{"a":"\\q"}', 'Bad escaped character'],
  ])('says in plain words what is wrong with %s', async (line, words) => {
    const [row] = await readAll(fileOf('mistake.jsonl', `${line}\n`));
    expect(row?.error?.message).toBe(`This line is not valid JSON: ${words}.`);
  });

  it('says which line is not UTF-8, a character cut off at the end included', async () => {
    const latin1 = Buffer.concat([
      Buffer.from('{"a":1}\n{"a":"'),
      Buffer.of(0xe4),
      Buffer.from('"}\n'),
    ]);
    expect(await failureOf(fileOf('latin1.jsonl', latin1))).toMatchObject({
      code: 'DATASET_NOT_UTF8',
      place: { line: 2 },
    });
    const cut = Buffer.concat([Buffer.from('{}\n"'), Buffer.of(0xc3)]);
    expect(await failureOf(fileOf('cut.jsonl', cut))).toMatchObject({
      code: 'DATASET_NOT_UTF8',
      place: { line: 2 },
    });
  });

  it('keeps characters whole that fall on the border of two reads', async () => {
    const text = 'ü€😀'.repeat(100_000);
    const [row] = await readAll(fileOf('wide.jsonl', JSON.stringify({ text })));
    expect(row?.error === undefined && row?.record).toEqual({ text });
  });
});

describe('large files', () => {
  const row = { prompt: 'p'.repeat(500), completion: 'c'.repeat(500) };
  it.each([
    ['large.jsonl', '', `${JSON.stringify(row)}\n`, ''],
    ['large.json', '[', `${JSON.stringify(row)},`, '{}]'],
    ['large.csv', 'a,b\n', `"${row.prompt}\n",${row.completion}\n`, ''],
  ])('%s: 40 MB are read by a process that may hold 24 MB', (name, head, one, tail) => {
    const file = join(folder, name);
    const descriptor = openSync(file, 'w');
    writeSync(descriptor, head);
    const block = one.repeat(1000);
    const blocks = Math.ceil(40e6 / block.length);
    for (let i = 0; i < blocks; i++) writeSync(descriptor, block);
    writeSync(descriptor, tail);
    closeSync(descriptor);
    const script = `
      import { openRows } from './src/mixer/readers/open.ts';
      let rows = 0;
      for await (const row of openRows(process.argv[1])) rows += row.error === undefined ? 1 : 0;
      console.log(rows);`;
    const limits = ['--max-old-space-size=24', '--max-semi-space-size=2'];
    const args = [...limits, '--import', 'tsx', '--input-type=module', '-e', script, file];
    const rows = Number(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    expect(rows).toBe(blocks * 1000 + (tail === '' ? 0 : 1));
  });
});

describe('JSON', () => {
  it('reads a list of rows with the line each begins on', async () => {
    const content = `${bom}[\r\n {"a": [1, {"b": null}],\r\n  "c": "d"},\r\n {"a": true}, {"a": -1.5e3}\r\n]\r\n`;
    expect(await readAll(fileOf('list.json', content))).toEqual([
      { line: 2, record: { a: [1, { b: null }], c: 'd' } },
      { line: 4, record: { a: true } },
      { line: 4, record: { a: -1500 } },
    ]);
  });

  it('reads the list named in an object, rows being lists or plain values too', async () => {
    const content =
      '{"meta": {"train": [9]},\n"val": [["x", "y"]],\n"train": [\n["a", "b"], "c", {}, []\n], "z": 1}';
    const file = fileOf('named.json', content);
    expect(
      (await readAll(file, 'train')).map((row) => [row.line, row.error ?? row.record]),
    ).toEqual([
      [4, ['a', 'b']],
      [4, 'c'],
      [4, {}],
      [4, []],
    ]);
    expect(await readAll(file, 'val')).toEqual([{ line: 2, record: ['x', 'y'] }]);
  });

  it('names the lists when none or a wrong one was asked for', async () => {
    const file = fileOf('lists.json', '{"a": [{"x": 1}],\n "b": [], "c": {"d": []}}');
    const unasked = await failureOf(file);
    expect(unasked.code).toBe('JSON_NOT_A_LIST');
    expect(unasked.message).toContain('Its lists are: a, b.');
    expect((await failureOf(file, 'e')).message).toContain('no list named "e"');
    expect((await failureOf(fileOf('number.json', '42'))).code).toBe('JSON_NOT_A_LIST');
  });

  it.each([
    ['a missing comma', '[\n{"a": 1}\n{"a": 2}]', 3, 1],
    ['a bare word', '[\n{"a": x}]', 2, 7],
    ['an early end', '[\n{"a": 1},\n{"a": ', 3, 7],
    ['something after the end', '[{"a": 1}]\n]', 2, 1],
    ['nothing', '', 1, 1],
  ])('says line and column of %s', async (_, content, line, column) => {
    const error = await failureOf(fileOf('broken.json', content));
    expect(error).toMatchObject({ code: 'JSON_BROKEN', place: { line, column } });
  });

  it('reads JSON Lines under the name .json', async () => {
    expect(await readAll(fileOf('lines.json', '\n{"a":1}\n{"a":2}\n'))).toEqual([
      { line: 2, record: { a: 1 } },
      { line: 3, record: { a: 2 } },
    ]);
  });
});

describe('CSV and TSV', () => {
  it.each([
    ['line feeds', 'a,b\nx,ü\ny,\n'],
    ['carriage returns', 'a,b\r\nx,ü\r\ny,\r\n'],
    ['a byte order mark', `${bom}a,b\nx,ü\ny,`],
    ['quotes', '"a","b"\n"x","ü"\n"y",""\n'],
  ])('reads rows with %s', async (_, content) => {
    const rows = await readAll(fileOf('rows.csv', content));
    expect(rows).toEqual(twoRows.map((row) => ({ ...row, line: row.line + 1 })));
  });

  it('knows the line of a row after quoted line breaks and blank lines', async () => {
    const content = 'a,b\n1,"two\nlines, ""quoted"""\n\n   \n3,4\n5,"6\r\n7"\n8,9\n';
    expect(await readAll(fileOf('breaks.csv', content))).toEqual([
      { line: 2, record: { a: '1', b: 'two\nlines, "quoted"' } },
      { line: 6, record: { a: '3', b: '4' } },
      { line: 7, record: { a: '5', b: '6\r\n7' } },
      { line: 9, record: { a: '8', b: '9' } },
    ]);
  });

  it('reads tabs', async () => {
    expect(await readAll(fileOf('rows.tsv', 'a\tb\nx, y\tz\n'))).toEqual([
      { line: 2, record: { a: 'x, y', b: 'z' } },
    ]);
  });

  it.each([
    ['a quote that never closes', 'a,b\n1,2\n3,"4\n5,6\n7,8\n', 3],
    ['a quote closed by the next row', 'a,b\n1,2\n3,"4\n5,"6"\n', 3],
    ['a quote inside a bare field', 'a,b\n1,2\n3,4"\n5,6\n', 3],
  ])(
    'reports %s with the line where the row begins, after the rows before it',
    async (_, content, line) => {
      const file = fileOf('quotes.csv', content);
      expect(await failureOf(file)).toMatchObject({ code: 'CSV_QUOTES', place: { file, line } });
      const before: RawRow[] = [];
      await expect(async () => {
        for await (const row of openRows(file)) before.push(row);
      }).rejects.toThrow('not balanced');
      expect(before).toEqual([{ line: 2, record: { a: '1', b: '2' } }]);
    },
  );

  it('stops at a quote left open without taking in the rest of the file', async () => {
    const content = `a,b\n1,"2\n${'some text without quotes\n'.repeat(400_000)}`;
    expect(await failureOf(fileOf('open.csv', content))).toMatchObject({
      code: 'CSV_QUOTES',
      place: { line: 2 },
    });
  });

  it('reports a row of the wrong width and reads on', async () => {
    const rows = await readAll(fileOf('width.csv', 'a,b\n1\n1,2,3\n1,2\n'));
    expect(rows.map(({ line, error }) => [line, error?.code])).toEqual([
      [2, 'CSV_ROW_WIDTH'],
      [3, 'CSV_ROW_WIDTH'],
      [4, undefined],
    ]);
  });

  it('refuses two columns of one name', async () => {
    expect(await failureOf(fileOf('twice.csv', 'a,b,a\n1,2,3\n'))).toMatchObject({
      code: 'CSV_HEADER',
      place: { field: 'a' },
    });
  });
});

describe('files that cannot be read', () => {
  it('stops at a line that cannot be one row', async () => {
    const row = `{"a":"${'x'.repeat(MAX_ROW_LENGTH)}"}`;
    const file = fileOf('one-line.jsonl', `{"a":"b"}\n${row}`);
    const error = await expectError('DATASET_ROW_TOO_LONG', () => readAll(file));
    expect(error.place).toEqual({ file, line: 2 });
  });

  it('names a missing file, a folder and an unknown ending', async () => {
    const missing = join(folder, 'missing.jsonl');
    expect(await failureOf(missing)).toMatchObject({
      code: 'DATASET_UNREADABLE',
      place: { file: missing },
    });
    const directory = join(folder, 'folder.csv');
    mkdirSync(directory);
    expect((await failureOf(directory)).code).toBe('DATASET_UNREADABLE');
    expect((await failureOf(fileOf('rows.parquet', ''))).code).toBe('DATASET_FORMAT');
  });
});
