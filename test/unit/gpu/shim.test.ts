/** The stand-in for Vitest runs what Vitest would, and a wrong value fails there too. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../support/tinyModel.js';

const shim = fileURLToPath(new URL('../../../scripts/gpu/vitestShim.ts', import.meta.url));

const tests = `
  import { afterEach, beforeEach, describe, expect, it, runTests } from ${JSON.stringify(shim)};
  let hooks = 0;
  describe.each([['a', 1], ['b', 2]])('%s', (name, value) => {
    beforeEach(() => hooks++);
    afterEach(() => hooks++);
    it('right', () => expect({ value, list: [1] }).toEqual({ value, list: [1] }));
    it.each([{ x: 3 }])('wrong by $x', async ({ x }) => expect(await x, 'x').toBeLessThan(value));
  });
  it.skipIf(true)('skipped', () => expect(1).toBe(2));
  it('left out', () => expect(1).toBe(2));
  it('matches', () => expect({ a: 1, b: 2 }).toMatchObject({ a: expect.any(Number) }));
  it('rejects', () => expect(Promise.reject(new Error('no'))).rejects.toThrow('yes'));
  const told = [];
  await runTests((name, error) => told.push([name, error !== undefined]), [/left out/], /./);
  console.log(JSON.stringify({ told, hooks }));
`;

it('runs tests, their cases and hooks, and tells which fail', async () => {
  const outfile = join(temporaryFolder(), 'tests.mjs');
  await build({
    stdin: { contents: tests, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  const { stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual({
    told: [
      ['a › right', false],
      ['a › wrong by 3', true],
      ['b › right', false],
      ['b › wrong by 3', true],
      ['matches', false],
      ['rejects', true],
    ],
    hooks: 8,
  });
});
