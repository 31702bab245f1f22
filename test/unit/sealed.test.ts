import { chmodSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readSealed, writeSealed } from '../../src/sealed.js';
import { expectError } from '../support/expectError.js';
import { temporaryFolder } from '../support/tinyModel.js';

const schema = z.object({ step: z.int(), loss: z.number().nullable(), names: z.array(z.string()) });
const remedy = 'Write the file again.';
const value = { step: 7, loss: 1 / 3, names: ['a', '\ud800“b”', '__proto__'] };

function written(content: object = value): string {
  const file = join(temporaryFolder(), 'sealed.json');
  writeSealed(file, content);
  return file;
}

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
}

function read(file: string): unknown {
  return readSealed(file, schema, { remedy });
}

describe('a sealed file', () => {
  it('comes back as it was written, whatever its spelling', () => {
    const file = written();
    expect(read(file)).toEqual(value);
    writeFileSync(file, JSON.stringify(JSON.parse(readFileSync(file, 'utf8'))));
    expect(read(file)).toEqual(value);
  });

  it('may hold what JSON changes: infinity becomes null, undefined goes', () => {
    const file = written({ ...value, loss: Infinity, more: undefined });
    expect(read(file)).toEqual({ ...value, loss: null });
  });

  it('is undefined where there is none', () => {
    expect(read(join(temporaryFolder(), 'none.json'))).toBeUndefined();
  });

  it.each([
    ['a changed number', '"step": 7', '"step": 8'],
    ['a key more', '"step": 7', '"step": 7, "more": 1'],
    ['a key less', '"step": 7,', ''],
    ['a key twice', '"step": 7,', '"names": [], "step": 7,'],
    ['a changed seal', '"seal": "', '"seal": "0'],
  ])('%s: said, with the file', async (_, from, to) => {
    const file = written();
    edit(file, from, to);
    const error = await expectError('RECORD_BROKEN', () => read(file));
    expect(error.message).toMatch(/edited/);
    expect(error.remedy).toBe(remedy);
    expect(error.place.file).toBe(file);
  });

  it('truncated, or without its seal: said', async () => {
    const file = written();
    truncateSync(file, 40);
    expect((await expectError('RECORD_BROKEN', () => read(file))).message).toContain('truncated');
    writeFileSync(file, JSON.stringify(value));
    const { place } = await expectError('RECORD_BROKEN', () => read(file));
    expect(place).toEqual({ file, field: 'seal' });
  });

  it('of another schema: said, with the field', async () => {
    const file = written({ ...value, step: 'seven' });
    const { place } = await expectError('RECORD_BROKEN', () => read(file));
    expect(place).toEqual({ file, field: 'step' });
  });

  it('that cannot be read is not called damaged', async () => {
    const file = join(temporaryFolder(), 'folder.json');
    mkdirSync(file);
    const error = await expectError('READ_FAILED', () => read(file));
    expect(error.place.file).toBe(file);
    expect(error.remedy).toContain('folder');
  });

  it.skipIf(process.getuid?.() === 0)(
    'without permission is not called damaged (not as root)',
    async () => {
      const file = written();
      chmodSync(file, 0);
      const error = await expectError('READ_FAILED', () => read(file));
      expect(error.remedy).toContain('permission');
    },
  );
});

describe('a file of a version without seals', () => {
  const options = { remedy, unsealed: z.object({ format: z.literal(1) }) };

  it('is read where it is told what it may hold', async () => {
    const file = join(temporaryFolder(), 'old.json');
    writeFileSync(file, '{"format":1}');
    expect(readSealed(file, schema, options)).toEqual({ format: 1 });
    writeFileSync(file, JSON.stringify(value));
    await expectError('RECORD_BROKEN', () => readSealed(file, schema, options));
  });

  it('does not excuse a broken seal', async () => {
    const file = written();
    edit(file, '"step": 7', '"step": 8');
    await expectError('RECORD_BROKEN', () => readSealed(file, schema, options));
    expect(readSealed(written(), schema, options)).toEqual(value);
  });
});
