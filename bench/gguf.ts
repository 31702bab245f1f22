/**
 * Writes a Llama model as a GGUF file, so that llama.cpp runs the very weights that we run: its own
 * converter is Python. Format: version 3 of ggml's `docs/gguf.md`; the names and the layout of q and
 * k are those of llama.cpp's `convert_hf_to_gguf.py`.
 */
import { z } from 'zod';
import { defined } from '../src/errors.js';
import { writeFileAtomicFrom } from '../src/files.js';
import { roundToF16 } from '../src/graph/index.js';
import { encodeFloats, floatBytes } from '../src/model/dtype.js';
import type { FloatDtype } from '../src/model/dtype.js';
import type { ModelFolder } from '../src/model/folder.js';
import { readJsonInFolder } from '../src/model/jsonFile.js';

/** Number of the type in a tensor's header, and of `general.file_type`. */
const tensorTypes = { F32: 0, F16: 1, Q8_0: 8, BF16: 30 } as const;
const fileTypes = { F32: 0, F16: 1, Q8_0: 7, BF16: 32 } as const;

/** `Q8_0`: 32 weights in a row as bytes that share a scale in F16. */
export type GgufType = FloatDtype | 'Q8_0';

/** Weights of a block of `Q8_0`, and its bytes: the scale, and one for each. */
const [blockWeights, blockBytes] = [32, 34];

/** A metadata value with its GGUF type. */
export type GgufValue =
  | { type: 'uint32' | 'int32' | 'float32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'array'; of: 'int32' | 'float32'; value: readonly number[] }
  | { type: 'array'; of: 'string'; value: readonly string[] };

export interface GgufTensor {
  name: string;
  /** As in PyTorch, outermost first; the file has them innermost first. */
  shape: readonly number[];
  type: GgufType;
  /** Row-major, always float32 here; rounded to `type` in the file. Asked for when it is written. */
  data: () => Float32Array;
}

const valueTypes = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const alignment = 32;

/** The file as parts to be written one after another; one tensor is in memory at a time. */
export function* encodeGguf(
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Generator<Uint8Array> {
  const head = byteWriter();
  head.raw(new TextEncoder().encode('GGUF'));
  head.uint32(3);
  head.uint64(tensors.length);
  head.uint64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    head.string(key);
    writeValue(head, value);
  }
  let offset = 0;
  for (const tensor of tensors) {
    head.string(tensor.name);
    head.uint32(tensor.shape.length);
    for (const size of [...tensor.shape].reverse()) head.uint64(size);
    head.uint32(tensorTypes[tensor.type]);
    head.uint64(offset);
    offset += roundUp(encodedBytes(tensor));
  }
  const header = head.bytes();
  yield header;
  yield padding(header.length);
  for (const { type, data } of tensors) {
    const values = data();
    const bytes = type === 'Q8_0' ? quantize(values) : encodeFloats(values, type);
    yield bytes;
    yield padding(bytes.length);
  }
}

/** Bytes of a tensor in the file. Throws where its rows are no whole blocks. */
function encodedBytes({ name, shape, type }: GgufTensor): number {
  const count = shape.reduce((product, size) => product * size, 1);
  if (type !== 'Q8_0') return count * floatBytes[type];
  if ((shape.at(-1) ?? 0) % blockWeights === 0) return (count / blockWeights) * blockBytes;
  throw new Error(`${name}: Q8_0 needs rows of a multiple of ${blockWeights} weights`);
}

/** ggml's `quantize_row_q8_0`: the largest of 32 weights becomes ±127. */
function quantize(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array((values.length / blockWeights) * blockBytes);
  const signed = new Int8Array(bytes.buffer);
  const view = new DataView(bytes.buffer);
  const scale = new Float32Array(1);
  const scaleBits = new Uint32Array(scale.buffer);
  for (let from = 0, at = 0; from < values.length; from += blockWeights, at += blockBytes) {
    let largest = 0;
    for (let i = from; i < from + blockWeights; i++) {
      largest = Math.max(largest, Math.abs(values[i] as number));
    }
    scale[0] = largest / 127;
    view.setUint16(at, roundToF16(scaleBits[0] as number), true);
    const inverse = largest === 0 ? 0 : 127 / largest;
    for (let i = 0; i < blockWeights; i++) {
      const value = (values[from + i] as number) * inverse;
      // Halves away from zero, as C's `roundf`.
      signed[at + 2 + i] = Math.sign(value) * Math.round(Math.abs(value));
    }
  }
  return bytes;
}

const configSchema = z.object({
  model_type: z.literal('llama'),
  hidden_size: z.number().int(),
  intermediate_size: z.number().int(),
  num_hidden_layers: z.number().int(),
  num_attention_heads: z.number().int(),
  num_key_value_heads: z.number().int(),
  vocab_size: z.number().int(),
  max_position_embeddings: z.number().int(),
  rms_norm_eps: z.number(),
  rope_theta: z.number().default(10000),
  tie_word_embeddings: z.boolean().default(false),
  bos_token_id: z.number().int(),
  eos_token_id: z.number().int(),
  // What this writer leaves out; a model that has it is refused, not written wrongly.
  attention_bias: z.literal(false).optional(),
  mlp_bias: z.literal(false).optional(),
  rope_scaling: z.null().optional(),
});
type LlamaConfig = z.infer<typeof configSchema>;

const tokenizerSchema = z.object({
  added_tokens: z.array(z.object({ id: z.number(), special: z.boolean() })),
  model: z.object({
    type: z.literal('BPE'),
    byte_fallback: z.literal(true),
    unk_token: z.string(),
    vocab: z.record(z.string(), z.number()),
    // Older files join the two parts with a space.
    merges: z.array(z.union([z.string(), z.tuple([z.string(), z.string()])])),
  }),
});
type TokenizerJson = z.infer<typeof tokenizerSchema>;

/**
 * Writes the Llama of `folder` to `file`, with its `tokenizer.json` where it has one, else with a
 * placeholder. Matrices are rounded to `type`; norms stay float32 as llama.cpp wants them. Throws
 * `WRITE_FAILED`, what the folder throws, and a `ZodError` for a Llama this writer leaves out.
 */
export function writeLlamaGguf(file: string, folder: ModelFolder, type: GgufType): void {
  const config = configSchema.parse(folder.config);
  const tokenizer = readJsonInFolder(folder.folder, 'tokenizer.json', tokenizerSchema);
  const metadata: Record<string, GgufValue> = {
    'general.architecture': { type: 'string', value: 'llama' },
    'general.name': { type: 'string', value: 'bench' },
    'general.file_type': { type: 'uint32', value: fileTypes[type] },
    ...llamaMetadata(config),
    ...tokenizerMetadata(config, tokenizer ?? placeholderTokenizer(config)),
  };
  const tensors = llamaTensors(config, (name) => folder.tensors.read(name), type);
  writeFileAtomicFrom(file, encodeGguf(metadata, tensors));
}

function llamaMetadata(config: LlamaConfig): Record<string, GgufValue> {
  const integers = {
    context_length: config.max_position_embeddings,
    embedding_length: config.hidden_size,
    block_count: config.num_hidden_layers,
    feed_forward_length: config.intermediate_size,
    vocab_size: config.vocab_size,
    'attention.head_count': config.num_attention_heads,
    'attention.head_count_kv': config.num_key_value_heads,
    'rope.dimension_count': config.hidden_size / config.num_attention_heads,
  };
  const floats = {
    'attention.layer_norm_rms_epsilon': config.rms_norm_eps,
    'rope.freq_base': config.rope_theta,
  };
  return {
    ...mapEntries(integers, (value) => ({ type: 'uint32', value })),
    ...mapEntries(floats, (value) => ({ type: 'float32', value })),
  };
}

function tokenizerMetadata(
  config: LlamaConfig,
  { added_tokens: added, model }: TokenizerJson,
): Record<string, GgufValue> {
  // SentencePiece merges the pair with the highest score first, so a score is a negative rank.
  const rank = new Map<string, number>();
  model.merges.forEach((merge, i) => {
    const token = typeof merge === 'string' ? merge.replace(' ', '') : merge.join('');
    if (!rank.has(token)) rank.set(token, i);
  });
  const special = new Set(added.filter((token) => token.special).map((token) => token.id));
  const tokens = new Array<string>(config.vocab_size).fill('');
  for (const [token, id] of Object.entries(model.vocab)) tokens[id] = token;
  const kind = (token: string, id: number): number => {
    if (token === model.unk_token) return 2;
    if (special.has(id)) return 3;
    return /^<0x[0-9A-F]{2}>$/.test(token) ? 6 : 1;
  };
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'llama' },
    'tokenizer.ggml.pre': { type: 'string', value: 'default' },
    'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: tokens },
    'tokenizer.ggml.scores': {
      type: 'array',
      of: 'float32',
      value: tokens.map((token) => -(rank.get(token) ?? model.merges.length)),
    },
    'tokenizer.ggml.token_type': { type: 'array', of: 'int32', value: tokens.map(kind) },
    'tokenizer.ggml.bos_token_id': { type: 'uint32', value: config.bos_token_id },
    'tokenizer.ggml.eos_token_id': { type: 'uint32', value: config.eos_token_id },
    'tokenizer.ggml.unknown_token_id': {
      type: 'uint32',
      value: defined(model.vocab[model.unk_token], 'id of the unknown token'),
    },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: true },
    'tokenizer.ggml.add_eos_token': { type: 'bool', value: false },
  };
}

/**
 * Llama's byte tokens and made-up names for the rest: llama.cpp's own `no_vocab` makes node-llama-cpp
 * abort.
 */
function placeholderTokenizer(config: LlamaConfig): TokenizerJson {
  const special = ['<unk>', '<s>', '</s>'];
  const name = (id: number): string => {
    const byte = id - special.length;
    if (byte >= 256) return `[${id}]`;
    return special[id] ?? `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
  };
  const vocab = Object.fromEntries(
    Array.from({ length: config.vocab_size }, (_, id) => [name(id), id]),
  );
  return {
    added_tokens: special.map((_, id) => ({ id, special: true })),
    model: { type: 'BPE', byte_fallback: true, unk_token: '<unk>', vocab, merges: [] },
  };
}

function llamaTensors(
  config: LlamaConfig,
  read: (name: string) => Float32Array,
  type: GgufType,
): GgufTensor[] {
  const { hidden_size: dim, intermediate_size: ffn, vocab_size: vocab } = config;
  const { num_attention_heads: heads, num_key_value_heads: kvHeads } = config;
  const kvDim = (dim / heads) * kvHeads;
  const matrix = (name: string, from: string, rows: number, columns: number): GgufTensor => ({
    name: `${name}.weight`,
    shape: [rows, columns],
    type,
    data: () => read(`${from}.weight`),
  });
  const norm = (name: string, from: string): GgufTensor => ({
    name: `${name}.weight`,
    shape: [dim],
    type: 'F32',
    data: () => read(`${from}.weight`),
  });
  const rotated = (tensor: GgufTensor, count: number): GgufTensor => ({
    ...tensor,
    data: () => interleaveHalves(tensor.data(), count, dim),
  });
  const layers = Array.from({ length: config.num_hidden_layers }, (_, i) => {
    const to = `blk.${i}`;
    const from = `model.layers.${i}`;
    return [
      norm(`${to}.attn_norm`, `${from}.input_layernorm`),
      rotated(matrix(`${to}.attn_q`, `${from}.self_attn.q_proj`, dim, dim), heads),
      rotated(matrix(`${to}.attn_k`, `${from}.self_attn.k_proj`, kvDim, dim), kvHeads),
      matrix(`${to}.attn_v`, `${from}.self_attn.v_proj`, kvDim, dim),
      matrix(`${to}.attn_output`, `${from}.self_attn.o_proj`, dim, dim),
      norm(`${to}.ffn_norm`, `${from}.post_attention_layernorm`),
      matrix(`${to}.ffn_gate`, `${from}.mlp.gate_proj`, ffn, dim),
      matrix(`${to}.ffn_up`, `${from}.mlp.up_proj`, ffn, dim),
      matrix(`${to}.ffn_down`, `${from}.mlp.down_proj`, dim, ffn),
    ];
  });
  return [
    matrix('token_embd', 'model.embed_tokens', vocab, dim),
    ...layers.flat(),
    norm('output_norm', 'model.norm'),
    ...(config.tie_word_embeddings ? [] : [matrix('output', 'lm_head', vocab, dim)]),
  ];
}

/**
 * Rows of q or k from Hugging Face's order, where row i of a head rotates with row i + half, to
 * llama.cpp's, where neighbours rotate together. `[heads * headDim, columns]`
 */
export function interleaveHalves(data: Float32Array, heads: number, columns: number): Float32Array {
  const half = data.length / columns / heads / 2;
  const out = new Float32Array(data.length);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < half; i++) {
      for (let side = 0; side < 2; side++) {
        const from = (head * 2 * half + side * half + i) * columns;
        const to = (head * 2 * half + 2 * i + side) * columns;
        out.set(data.subarray(from, from + columns), to);
      }
    }
  }
  return out;
}

function writeValue(to: ByteWriter, value: GgufValue): void {
  to.uint32(valueTypes[value.type]);
  if (value.type === 'array') {
    to.uint32(valueTypes[value.of]);
    to.uint64(value.value.length);
    if (value.of === 'string') value.value.forEach((item) => to.string(item));
    else value.value.forEach((item) => to[value.of](item));
    return;
  }
  if (value.type === 'string') to.string(value.value);
  else if (value.type === 'bool') to.raw(Uint8Array.of(value.value ? 1 : 0));
  else to[value.type](value.value);
}

interface ByteWriter {
  raw(bytes: Uint8Array): void;
  uint32(value: number): void;
  int32(value: number): void;
  float32(value: number): void;
  uint64(value: number): void;
  string(text: string): void;
  bytes(): Uint8Array;
}

function byteWriter(): ByteWriter {
  const parts: Uint8Array[] = [];
  const number = (bytes: number, set: (view: DataView) => void): void => {
    const part = new Uint8Array(bytes);
    set(new DataView(part.buffer));
    parts.push(part);
  };
  const uint64 = (value: number): void =>
    number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  return {
    raw: (bytes) => void parts.push(bytes),
    uint32: (value) => number(4, (view) => view.setUint32(0, value, true)),
    int32: (value) => number(4, (view) => view.setInt32(0, value, true)),
    float32: (value) => number(4, (view) => view.setFloat32(0, value, true)),
    uint64,
    string: (text) => {
      const bytes = new TextEncoder().encode(text);
      uint64(bytes.length);
      parts.push(bytes);
    },
    bytes: () => new Uint8Array(Buffer.concat(parts)),
  };
}

function roundUp(length: number): number {
  return Math.ceil(length / alignment) * alignment;
}

function padding(length: number): Uint8Array {
  return new Uint8Array(roundUp(length) - length);
}

function mapEntries<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  const entries = Object.entries(record).map(([key, value]) => [`llama.${key}`, map(value)]);
  return Object.fromEntries(entries) as Record<string, B>;
}
