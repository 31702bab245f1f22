/** Saving a model folder: what it holds, and that a failure leaves nothing behind. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openModelFolder } from '../../../src/model/folder.js';
import type { ModelFolder } from '../../../src/model/folder.js';
import { modelCard } from '../../../src/model/modelCard.js';
import { writeSafetensors } from '../../../src/model/safetensorsWriter.js';
import { saveModelFolder } from '../../../src/model/save.js';
import { caught, letterTokenizer, temporaryFolder, writeFiles } from './folderFixture.js';

const card = modelCard({ baseModel: 'org/tiny', method: 'cfs', settings: { lambda: 1 } });
const specs = [
  { name: 'embed', dtype: 'F32', shape: [4, 2] },
  { name: 'layer', dtype: 'BF16', shape: [2, 2] },
  { name: 'head', dtype: 'F16', shape: [2] },
  { name: 'mask', dtype: 'U8', shape: [3] },
];

function write(folder: string, shard: string, names: string[]): void {
  const inShard = specs.filter(({ name }) => names.includes(name));
  writeSafetensors(join(folder, shard), inShard, ({ name, shape }) =>
    name === 'mask'
      ? [Uint8Array.of(1, 0, 1)]
      : new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5),
  );
}

function makeSource(sharded = false): ModelFolder {
  const folder = writeFiles(temporaryFolder(), {
    'config.json': '{"model_type": "llama",  "torch_dtype": "bfloat16"}',
    'generation_config.json': { eos_token_id: 2 },
    'tokenizer.json': letterTokenizer(),
    'tokenizer_config.json': { bos_token: '<s>' },
    'special_tokens_map.json': {},
    'chat_template.jinja': '{{ messages }}',
    'LICENSE.txt': 'free',
    'optimizer.pt': 'not for you',
    'README.md': 'the old card',
  });
  if (!sharded) {
    write(folder, 'model.safetensors', ['embed', 'layer', 'head', 'mask']);
    return openModelFolder(folder);
  }
  write(folder, 'a.safetensors', ['embed', 'mask']);
  write(folder, 'b.safetensors', ['layer', 'head']);
  const shardOf = { embed: 'a', mask: 'a', layer: 'b', head: 'b' };
  const map: Record<string, string> = {};
  for (const [name, shard] of Object.entries(shardOf)) map[name] = `${shard}.safetensors`;
  writeFiles(folder, { 'model.safetensors.index.json': { weight_map: map } });
  return openModelFolder(folder);
}

const trained: Record<string, number[]> = {
  embed: [1, 2, 3, 4, 5, 6, 7, 8],
  layer: [1 + 2 ** -8, 1 + 3 * 2 ** -8, -2, 0],
  head: [1 + 2 ** -11, 3],
};
const weights = (name: string): Float32Array | undefined =>
  trained[name] && Float32Array.from(trained[name]);

describe('saveModelFolder', () => {
  it.each([false, true])('keeps names, shapes, dtypes and layout (sharded: %s)', (sharded) => {
    const source = makeSource(sharded);
    const target = join(temporaryFolder(), 'new', 'model');
    saveModelFolder({ source, target, weights, card });
    const saved = openModelFolder(target);
    expect(saved.tensors.names().toSorted()).toEqual(source.tensors.names().toSorted());
    for (const { name, dtype, shape } of specs) {
      expect(saved.tensors.info(name)).toEqual({ dtype, shape });
      expect(saved.tensors.pathOf(name)).toBe(source.tensors.pathOf(name));
    }
    expect([...saved.tensors.read('embed')]).toEqual(trained.embed);
    // Ties go to the even neighbour.
    expect([...saved.tensors.read('layer')]).toEqual([1, 1 + 2 ** -6, -2, 0]);
    expect([...saved.tensors.read('head')]).toEqual([1, 3]);
    expect([...saved.tensors.readBytes('mask')]).toEqual([Uint8Array.of(1, 0, 1)]);
    const expected = readdirSync(source.folder).filter((name) => name !== 'optimizer.pt');
    expect(readdirSync(target).toSorted()).toEqual(expected.toSorted());
    for (const name of expected.filter((one) => !/safetensors$|README/.test(one))) {
      expect(readFileSync(join(target, name))).toEqual(readFileSync(join(source.folder, name)));
    }
    expect(readFileSync(join(target, 'README.md'), 'utf8')).toBe(card);
    expect(readdirSync(dirname(target))).toEqual(['model']);
  });

  it('replaces what it wrote before, and an empty folder', () => {
    const source = makeSource();
    const target = join(temporaryFolder(), 'model');
    mkdirSync(target);
    saveModelFolder({ source, target, weights, card });
    writeFileSync(join(target, 'stale'), '');
    saveModelFolder({ source, target, weights: () => undefined, card });
    expect([...openModelFolder(target).tensors.read('head')]).toEqual([0.5, 0.5]);
    expect(existsSync(join(target, 'stale'))).toBe(false);
    expect(readdirSync(dirname(target))).toEqual(['model']);
  });

  it('replaces neither its source, nor what is around it, nor a folder of other files', () => {
    const source = makeSource();
    const other = writeFiles(temporaryFolder(), { 'thesis.tex': 'years of work' });
    for (const target of [source.folder, dirname(source.folder), other]) {
      const error = caught(() => saveModelFolder({ source, target, weights, card }));
      expect(error.code).toBe('SAVE_TARGET_IN_USE');
    }
    expect(readdirSync(other)).toEqual(['thesis.tex']);
    expect(existsSync(join(source.folder, 'model.safetensors'))).toBe(true);
  });

  it('saves no NaN, and leaves the earlier save as it was', () => {
    const source = makeSource();
    const parent = temporaryFolder();
    const target = join(parent, 'model');
    saveModelFolder({ source, target, weights, card });
    const broken = (name: string): Float32Array | undefined =>
      name === 'head' ? Float32Array.of(1, NaN) : weights(name);
    const error = caught(() => saveModelFolder({ source, target, weights: broken, card }));
    expect(error).toMatchObject({ code: 'WEIGHTS_NOT_FINITE', place: { field: 'head' } });
    expect(readdirSync(parent)).toEqual(['model']);
    expect([...openModelFolder(target).tensors.read('head')]).toEqual([1, 3]);
  });

  it('leaves nothing behind when the weights cannot be had', () => {
    const source = makeSource();
    const parent = temporaryFolder();
    const failing = (): never => {
      throw new Error('device lost');
    };
    const target = join(parent, 'deep', 'model');
    expect(() => saveModelFolder({ source, target, weights: failing, card })).toThrow(
      'device lost',
    );
    expect(readdirSync(parent)).toEqual([]);
  });

  it('says so when a file is in the way', () => {
    const folder = writeFiles(temporaryFolder(), { file: 'x' });
    for (const target of [join(folder, 'file'), join(folder, 'file', 'model')]) {
      const error = caught(() => saveModelFolder({ source: makeSource(), target, weights, card }));
      expect(error.code).toBe('WRITE_FAILED');
    }
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('x');
    expect(readdirSync(folder)).toEqual(['file']);
  });

  const isRoot = process.getuid?.() === 0;
  it.skipIf(isRoot)('says so when the folder is read-only (not as root)', () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o555);
    const target = join(folder, 'model');
    const error = caught(() => saveModelFolder({ source: makeSource(), target, weights, card }));
    expect(error.remedy).toContain('may write');
    expect(readdirSync(folder)).toEqual([]);
    chmodSync(folder, 0o755);
  });

  const mounts = temporaryFolder();
  const mounted = ['full', 'fixed'].map((name) => join(mounts, name)).filter(mountSmall);
  afterAll(() => mounted.forEach((folder) => execFileSync('umount', [folder])));

  it.skipIf(mounted.length < 2)('leaves nothing on a full disk (needs a tmpfs mount)', () => {
    const source = makeSource();
    const target = join(mounts, 'full', 'model');
    const filler = join(mounts, 'full', 'filler');
    writeFileSync(filler, new Uint8Array(48 * 1024));
    const error = caught(() => saveModelFolder({ source, target, weights, card }));
    expect(error).toMatchObject({ code: 'WRITE_FAILED' });
    expect(error.remedy).toContain('Free some disk space');
    expect(readdirSync(join(mounts, 'full'))).toEqual(['filler']);
  });

  it.skipIf(mounted.length < 2)('says so on a read-only disk (needs a tmpfs mount)', () => {
    const folder = join(mounts, 'fixed');
    execFileSync('mount', ['-o', 'remount,ro', folder]);
    const target = join(folder, 'model');
    const error = caught(() => saveModelFolder({ source: makeSource(), target, weights, card }));
    expect(error).toMatchObject({ code: 'WRITE_FAILED' });
    expect(error.remedy).toContain('can be written to');
    expect(readdirSync(folder)).toEqual([]);
  });
});

/** A 64 KiB disk at `folder`; false where this process may not mount one. */
function mountSmall(folder: string): boolean {
  mkdirSync(folder);
  try {
    const options = ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder];
    execFileSync('mount', options, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const real = '../shared/data/models/stories260K';
describe.skipIf(!existsSync(real))('the real stories260K (needs ../shared)', () => {
  it('saved with its own weights is the same model', () => {
    const source = openModelFolder(real);
    const target = join(temporaryFolder(), 'model');
    saveModelFolder({ source, target, weights: (name) => source.tensors.read(name), card });
    const saved = openModelFolder(target);
    expect(saved.config).toEqual(source.config);
    for (const name of source.tensors.names()) {
      expect(saved.tensors.info(name)).toEqual(source.tensors.info(name));
      expect(saved.tensors.read(name)).toEqual(source.tensors.read(name));
    }
  });
});
