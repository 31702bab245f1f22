/** Opening model folders: one file, shards, and every way in which a folder can be wrong. */
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeFloats } from '../../../src/model/dtype.js';
import { openModelFolder } from '../../../src/model/folder.js';
import type { ModelTensors } from '../../../src/model/folder.js';
import { caught, rawSafetensors, temporaryFolder, writeFiles } from './folderFixture.js';

const config = { model_type: 'llama', vocab_size: 32 };

function weights(values: Record<string, number[]>): Uint8Array {
  const header: Record<string, object> = {};
  const all: number[] = [];
  for (const [name, numbers] of Object.entries(values)) {
    const begin = 4 * all.length;
    all.push(...numbers);
    const range = [begin, 4 * all.length];
    header[name] = { dtype: 'F32', shape: [numbers.length], data_offsets: range };
  }
  return rawSafetensors(header, new Uint8Array(Float32Array.from(all).buffer));
}

const shards = {
  'config.json': config,
  'model-1.safetensors': weights({ a: [1], extra: [9] }),
  'model-2.safetensors': weights({ b: [2, 3] }),
};
const index = (map: Record<string, string>): object => ({
  'model.safetensors.index.json': { metadata: { total_size: 12 }, weight_map: map },
});
const goodMap = { a: 'model-1.safetensors', b: 'model-2.safetensors' };

describe('openModelFolder', () => {
  it('reads one file, the configuration and the generation configuration', () => {
    const folder = writeFiles(temporaryFolder(), {
      'config.json': config,
      'generation_config.json': { eos_token_id: [2, 3] },
      'model.safetensors': weights({ a: [1], b: [2, 3] }),
    });
    const model = openModelFolder(folder);
    expect(model.config).toEqual(config);
    expect(model.generationConfig).toEqual({ eos_token_id: [2, 3] });
    expect(model.tensors.names()).toEqual(['a', 'b']);
    expect(model.tensors.info('b')).toEqual({ dtype: 'F32', shape: [2] });
    expect([...model.tensors.read('b')]).toEqual([2, 3]);
    expect(model.tensors.has('c')).toBe(false);
    expect(caught(() => model.tensors.read('c')).code).toBe('TENSOR_MISSING');
  });

  it('reads shards through the index, and only what the index names', () => {
    const folder = writeFiles(temporaryFolder(), { ...shards, ...index(goodMap) });
    const { tensors } = openModelFolder(folder);
    expect(tensors.names()).toEqual(['a', 'b']);
    expect([...tensors.read('a'), ...tensors.read('b')]).toEqual([1, 2, 3]);
    expect(tensors.pathOf('b')).toBe('model-2.safetensors');
  });

  it.each<[string, Record<string, string>, string]>([
    ['a shard that is not there', { ...goodMap, c: 'model-3.safetensors' }, 'SHARD_MISSING'],
    ['a tensor that is not in its shard', { a: 'model-2.safetensors' }, 'SHARD_MISMATCH'],
    ['a path upwards', { a: '../model-1.safetensors' }, 'MODEL_PATH_OUTSIDE'],
    ['a hidden path upwards', { a: 'x/../../model-1.safetensors' }, 'MODEL_PATH_OUTSIDE'],
    ['an absolute path', { a: '/model-1.safetensors' }, 'MODEL_PATH_OUTSIDE'],
    ['a Windows path', { a: '..\\model-1.safetensors' }, 'MODEL_PATH_OUTSIDE'],
    ['a link that leads out', { a: 'link.safetensors' }, 'MODEL_PATH_OUTSIDE'],
    ['a folder link that leads out', { a: 'linked/x.safetensors' }, 'MODEL_PATH_OUTSIDE'],
  ])('refuses an index with %s', (_, map, code) => {
    const elsewhere = writeFiles(temporaryFolder(), { 'x.safetensors': weights({ a: [1] }) });
    const folder = writeFiles(temporaryFolder(), { ...shards, ...index(map) });
    symlinkSync(join(elsewhere, 'x.safetensors'), join(folder, 'link.safetensors'));
    symlinkSync(elsewhere, join(folder, 'linked'));
    expect(caught(() => openModelFolder(folder)).code).toBe(code);
  });

  it('follows the links of a Hugging Face cache, and no others', () => {
    const cache = writeFiles(temporaryFolder(), {
      'models--x/blobs/1': JSON.stringify(config),
      'models--x/blobs/2': weights({ a: [1] }),
    });
    const snapshot = join(cache, 'models--x', 'snapshots', 'abc');
    mkdirSync(snapshot, { recursive: true });
    symlinkSync('../../blobs/1', join(snapshot, 'config.json'));
    symlinkSync('../../blobs/2', join(snapshot, 'model.safetensors'));
    expect(openModelFolder(snapshot).tensors.names()).toEqual(['a']);
    const secret = writeFiles(temporaryFolder(), { x: '{}' });
    symlinkSync(join(secret, 'x'), join(snapshot, 'generation_config.json'));
    expect(caught(() => openModelFolder(snapshot)).code).toBe('MODEL_PATH_OUTSIDE');
  });

  it.each<[string, Record<string, unknown>, string, RegExp]>([
    ['no config', { x: '' }, 'MODEL_CONFIG_MISSING', /no config\.json/],
    ['an adapter', { 'adapter_config.json': '{}' }, 'MODEL_CONFIG_MISSING', /LoRA adapter/],
    ['only GGUF', { 'm.Q4.gguf': '' }, 'MODEL_FORMAT', /only as m\.Q4\.gguf/],
    [
      'only pickled weights',
      { 'config.json': config, 'pytorch_model.bin': '' },
      'MODEL_FORMAT',
      /only as pytorch_model\.bin/,
    ],
    ['no weights', { 'config.json': config }, 'MODEL_WEIGHTS_MISSING', /neither/],
    ['no model_type', { 'config.json': {} }, 'MODEL_FILE_INVALID', /expected string/],
    ['a config that is a list', { 'config.json': [] }, 'MODEL_FILE_INVALID', /expected object/],
    ['broken JSON', { 'config.json': '{"model_type"' }, 'MODEL_FILE_INVALID', /not valid JSON/],
    [
      'an index without a map',
      { 'config.json': config, 'model.safetensors.index.json': {} },
      'MODEL_FILE_INVALID',
      /index\.json is not as expected/,
    ],
    [
      'a truncated weights file',
      { 'config.json': config, 'model.safetensors': weights({ a: [1, 2] }).subarray(0, -1) },
      'SAFETENSORS_INVALID',
      /1 bytes behind/,
    ],
  ])('says what to do about %s', (_, files, code, message) => {
    const error = caught(() => openModelFolder(writeFiles(temporaryFolder(), files)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.remedy).not.toBe('');
    expect(error.place.file).toBeDefined();
  });

  it('says so when the folder is missing or a file', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    for (const wrong of ['none', 'file']) {
      expect(caught(() => openModelFolder(join(folder, wrong))).code).toBe('MODEL_FOLDER_MISSING');
    }
  });

  it.each([NaN, Infinity, -Infinity])('names the tensor that holds %s', (bad) => {
    const folder = writeFiles(temporaryFolder(), {
      'config.json': config,
      'model.safetensors': weights({ good: [1], bad: [0, bad] }),
    });
    const { tensors } = openModelFolder(folder);
    expect([...tensors.read('good')]).toEqual([1]);
    const error = caught(() => tensors.read('bad'));
    expect(error).toMatchObject({ code: 'WEIGHTS_NOT_FINITE', place: { field: 'bad' } });
    expect(error.message).toContain(`holds ${bad} at flat index 1`);
    tensors.requireFinite('good');
    expect(caught(() => tensors.requireFinite('bad'))).toEqual(error);
  });
});

const oracles = '../shared/data/oracles';
describe.skipIf(!existsSync(oracles))('the Llama oracles (need ../shared)', () => {
  it('hold the same weights in one file, in shards, and rounded to BF16', () => {
    const tensorsOf = (name: string): ModelTensors => openModelFolder(join(oracles, name)).tensors;
    const [one, sharded, brain] = [
      tensorsOf('llama'),
      tensorsOf('llama-sharded'),
      tensorsOf('llama-bf16'),
    ];
    expect(one.names().length).toBeGreaterThan(10);
    expect(sharded.names().toSorted()).toEqual(one.names().toSorted());
    for (const name of one.names()) {
      const values = one.read(name);
      expect(sharded.info(name)).toEqual(one.info(name));
      expect(sharded.read(name)).toEqual(values);
      expect(brain.info(name).dtype).toBe('BF16');
      expect(Buffer.concat([...brain.readBytes(name)])).toEqual(
        Buffer.from(encodeFloats(values, 'BF16')),
      );
    }
  });
});
