/** Sizes and FLOP counts of the benchmark's models, against numbers known from elsewhere. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  parameterCount,
  shapes,
  stepFlops,
  tensorsOf,
  writeRandomModel,
} from '../../../bench/shapes.js';
import { openModelFolder } from '../../../src/model/folder.js';

const folder = mkdtempSync(join(tmpdir(), 'cfs-shapes-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tiny = {
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 100,
  tie_word_embeddings: true,
};
const real = join('..', 'shared', 'data', 'models', 'stories15M');

describe('the shapes', () => {
  it('have about the parameters of their names', () => {
    expect(parameterCount(shapes['15M'])).toBe(15_191_712);
    expect(parameterCount(shapes['42M']) / 1e6).toBeCloseTo(41.7, 0);
    expect(parameterCount(shapes['110M']) / 1e6).toBeCloseTo(110, -1);
    expect(parameterCount(shapes['350M']) / 1e6).toBeCloseTo(341, 0);
    // TinyLlama's own count.
    expect(parameterCount(shapes['1.1B'])).toBe(1_100_048_384);
  });

  it.skipIf(!existsSync(real))('15M is stories15M, tensor by tensor (../shared)', () => {
    const { tensors } = openModelFolder(real);
    const ours = tensorsOf(shapes['15M']);
    expect(ours.map(({ name }) => name).sort()).toEqual(tensors.names().sort());
    for (const { name, shape } of ours) expect(tensors.info(name).shape).toEqual(shape);
  });

  it('count 6 per weight and token, and attention on top', () => {
    // One layer by hand: embed 6400, q and o 4096, k and v 2048, three of 6144, three norms of 64.
    const weights = 6400 + 2 * 4096 + 2 * 2048 + 3 * 6144 + 3 * 64;
    const flops = stepFlops(tiny, 2, 8);
    expect(flops.weights).toBe(6 * weights * 16);
    // Forward, per line: q·k and p·v are 2 · 8 · 8 · 64 each; backward is twice that.
    expect(flops.attention).toBe(3 * 2 * 2 * (2 * 8 * 8 * 64));
    expect(flops.total).toBe(flops.weights + flops.attention);
  });

  it('count an untied input table as the lookup that it is', () => {
    const untied = { ...tiny, tie_word_embeddings: false };
    expect(parameterCount(untied)).toBe(parameterCount(tiny) + 6400);
    expect(stepFlops(untied, 2, 8)).toEqual(stepFlops(tiny, 2, 8));
  });
});

describe('a model of random weights', () => {
  const bytes = (seed: number): Buffer => {
    writeRandomModel(folder, tiny, seed);
    return readFileSync(join(folder, 'model.safetensors'));
  };

  it('is the same for the same seed, another for another', () => {
    const first = bytes(1);
    expect(bytes(1).equals(first)).toBe(true);
    expect(bytes(2).equals(first)).toBe(false);
  });

  it('starts as Llama does: normal weights of 0.02, norms of 1', () => {
    bytes(3);
    const { tensors } = openModelFolder(folder);
    const table = tensors.read('model.embed_tokens.weight');
    const mean = table.reduce((sum, x) => sum + x, 0) / table.length;
    const variance = table.reduce((sum, x) => sum + (x - mean) ** 2, 0) / table.length;
    expect(Math.abs(mean)).toBeLessThan(0.001);
    expect(Math.sqrt(variance)).toBeCloseTo(0.02, 3);
    expect(tensors.read('model.norm.weight').every((x) => x === 1)).toBe(true);
    expect(tensors.read('model.layers.0.mlp.up_proj.weight')).not.toEqual(
      tensors.read('model.layers.0.mlp.gate_proj.weight'),
    );
  });

  it('reads its block around and around, in half precision too', () => {
    const wide = { ...tiny, vocab_size: 20_000 };
    writeRandomModel(folder, wide, 4, 'BF16');
    const { tensors, config } = openModelFolder(folder);
    expect(config.torch_dtype).toBe('bfloat16');
    expect(tensors.info('model.embed_tokens.weight').dtype).toBe('BF16');
    const table = tensors.read('model.embed_tokens.weight');
    // 1,280,000 numbers of a block of 1,000,003.
    expect(table[5]).toBe(table[1_000_003 + 5]);
    const rows = Array.from({ length: 15_000 }, (_, row) => table.subarray(64 * row, 64 * row + 2));
    expect(new Set(rows.map((row) => row.join())).size).toBeGreaterThan(14_000);
  });
});
