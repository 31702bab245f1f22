/** The GGUF writer, read back by a reader of our own; llama.cpp reading it is shown by the benchmark. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { encodeGguf, interleaveHalves, writeLlamaGguf } from '../../../bench/gguf.js';
import { tensorsOf, writeRandomModel } from '../../../bench/shapes.js';
import { openModelFolder } from '../../../src/model/folder.js';
import { readGguf } from './ggufReader.js';

const folder = mkdtempSync(join(tmpdir(), 'cfs-gguf-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shape = {
  hidden_size: 8,
  intermediate_size: 12,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  vocab_size: 6,
  tie_word_embeddings: false,
};
const tokenizer = {
  added_tokens: [
    { id: 0, special: true },
    { id: 1, special: true },
    { id: 2, special: true },
  ],
  model: {
    type: 'BPE',
    byte_fallback: true,
    unk_token: '<unk>',
    vocab: { '<unk>': 0, '<s>': 1, '</s>': 2, '<0x0A>': 3, '▁a': 4, '▁ab': 5 },
    merges: ['▁ a', ['▁a', 'b']],
  },
};

function write(type: 'F32' | 'F16' | 'BF16'): ReturnType<typeof readGguf> {
  writeRandomModel(folder, shape, 7);
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer));
  const file = join(folder, 'model.gguf');
  writeLlamaGguf(file, openModelFolder(folder), type);
  return readGguf(readFileSync(file));
}

describe('the GGUF writer', () => {
  it('keeps every value type and aligns every tensor', () => {
    const parts = encodeGguf(
      {
        a: { type: 'uint32', value: 4_000_000_000 },
        b: { type: 'int32', value: -5 },
        c: { type: 'float32', value: 0.25 },
        d: { type: 'bool', value: true },
        e: { type: 'string', value: 'é▁' },
        f: { type: 'array', of: 'string', value: ['x', ''] },
        g: { type: 'array', of: 'float32', value: [-0.5] },
        h: { type: 'array', of: 'int32', value: [] },
      },
      [
        { name: 'odd', shape: [3], type: 'F32', data: () => Float32Array.of(1, 2, 3) },
        { name: 'half', shape: [1, 2], type: 'F16', data: () => Float32Array.of(0.1, -65504) },
      ],
    );
    const bytes = new Uint8Array(Buffer.concat([...parts]));
    const { version, metadata, tensors } = readGguf(bytes);
    expect(version).toBe(3);
    expect(metadata).toEqual({
      a: 4_000_000_000,
      b: -5,
      c: 0.25,
      d: true,
      e: 'é▁',
      f: ['x', ''],
      g: [-0.5],
      h: [],
    });
    expect(tensors.odd).toEqual({ shape: [3], offset: 0, data: Float32Array.of(1, 2, 3) });
    expect(tensors.half?.offset).toBe(32);
    expect(tensors.half?.data[0]).toBeCloseTo(0.1, 4);
    expect(tensors.half?.data[1]).toBe(-65504);
    expect(bytes.length % 32).toBe(0);
  });

  it('keeps 8 bits of a weight and a scale for 32 of them in Q8_0', () => {
    const values = Float32Array.from({ length: 64 }, (_, i) => (i < 32 ? Math.sin(i) / 50 : 0));
    const tensor = { name: 'q', shape: [2, 32], type: 'Q8_0' as const, data: () => values };
    const read = readGguf(new Uint8Array(Buffer.concat([...encodeGguf({}, [tensor])]))).tensors.q;
    const largest = Math.max(...values.map(Math.abs));
    expect(read?.shape).toEqual([2, 32]);
    values.forEach((value, i) => {
      // Half a step of the scale, which itself is rounded to 11 bits.
      const error = Math.abs((read?.data[i] ?? NaN) - value);
      expect(error).toBeLessThanOrEqual(largest / 254 + largest * 2 ** -11);
    });
    const narrow = { ...tensor, shape: [4, 16] };
    expect(() => [...encodeGguf({}, [narrow])]).toThrow('multiple of 32');
  });

  it('gives every weight of a Llama its name, shape and numbers', () => {
    const { tensors } = write('F32');
    const source = openModelFolder(folder).tensors;
    expect(Object.keys(tensors)).toHaveLength(tensorsOf(shape).length);
    for (const [ours, theirs] of [
      ['token_embd', 'model.embed_tokens'],
      ['output', 'lm_head'],
      ['output_norm', 'model.norm'],
      ['blk.1.attn_v', 'model.layers.1.self_attn.v_proj'],
      ['blk.1.attn_output', 'model.layers.1.self_attn.o_proj'],
      ['blk.0.ffn_down', 'model.layers.0.mlp.down_proj'],
    ] as const) {
      const tensor = tensors[`${ours}.weight`];
      expect(tensor?.shape).toEqual(source.info(`${theirs}.weight`).shape);
      expect(tensor?.data).toEqual(source.read(`${theirs}.weight`));
    }
    const q = source.read('model.layers.0.self_attn.q_proj.weight');
    expect(tensors['blk.0.attn_q.weight']?.data).toEqual(interleaveHalves(q, 2, 8));
    const k = source.read('model.layers.0.self_attn.k_proj.weight');
    expect(tensors['blk.0.attn_k.weight']?.data).toEqual(interleaveHalves(k, 1, 8));
  });

  it('puts rows that rotate together side by side', () => {
    // Two heads of four rows, one column: rows i and i + 2 of a head are a pair.
    const rows = Float32Array.of(0, 1, 2, 3, 10, 11, 12, 13);
    expect(interleaveHalves(rows, 2, 1)).toEqual(Float32Array.of(0, 2, 1, 3, 10, 12, 11, 13));
  });

  it('writes the vocabulary with its kinds, and scores in the order of the merges', () => {
    const { metadata } = write('F32');
    expect(metadata['tokenizer.ggml.tokens']).toEqual(Object.keys(tokenizer.model.vocab));
    expect(metadata['tokenizer.ggml.token_type']).toEqual([2, 3, 3, 6, 1, 1]);
    const scores = metadata['tokenizer.ggml.scores'] as number[];
    expect(scores[4]).toBeGreaterThan(scores[5] ?? 0);
    expect(metadata).toMatchObject({
      'tokenizer.ggml.bos_token_id': 1,
      'tokenizer.ggml.eos_token_id': 2,
      'llama.attention.head_count_kv': 1,
      'llama.rope.dimension_count': 4,
    });
  });

  it('makes a vocabulary up for a folder without a tokenizer', () => {
    const bare = join(folder, 'bare');
    writeRandomModel(bare, { ...shape, vocab_size: 300 }, 7);
    const file = join(bare, 'model.gguf');
    writeLlamaGguf(file, openModelFolder(bare), 'F32');
    const tokens = readGguf(readFileSync(file)).metadata['tokenizer.ggml.tokens'] as string[];
    expect(new Set(tokens).size).toBe(300);
    expect([tokens[1], tokens[3], tokens[258], tokens[259]]).toEqual([
      '<s>',
      '<0x00>',
      '<0xFF>',
      '[259]',
    ]);
  });

  it.each(['F16', 'BF16'] as const)('rounds the matrices to %s and leaves the norms', (type) => {
    const { tensors, metadata } = write(type);
    const exact = openModelFolder(folder).tensors.read('model.embed_tokens.weight');
    const rounded = tensors['token_embd.weight']?.data ?? new Float32Array();
    const tolerance = type === 'F16' ? 2 ** -11 : 2 ** -8;
    expect(rounded).toHaveLength(exact.length);
    exact.forEach((value, i) => {
      const error = Math.abs((rounded[i] ?? NaN) - value);
      expect(error).toBeLessThanOrEqual(Math.abs(value) * tolerance + 2 ** -24);
    });
    expect(rounded).not.toEqual(exact);
    expect(tensors['output_norm.weight']?.data).toEqual(new Float32Array(8).fill(1));
    expect(metadata['general.file_type']).toBe(type === 'F16' ? 1 : 32);
  });

  it('refuses a Llama that it would write wrongly', () => {
    const model = openModelFolder(folder);
    const scaled = { ...model, config: { ...model.config, rope_scaling: { rope_type: 'llama3' } } };
    expect(() => writeLlamaGguf(join(folder, 'no.gguf'), scaled, 'F32')).toThrow('rope_scaling');
  });
});
