/**
 * The models that the benchmarks train and sample: Llamas of five sizes with random weights, so
 * that every peer starts from the same numbers and nothing has to be downloaded.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../src/files.js';
import { encodeFloats, floatBytes, type FloatDtype } from '../src/model/dtype.js';
import { writeSafetensors } from '../src/model/safetensorsWriter.js';
import type { TensorSpec } from '../src/model/safetensorsHeader.js';
import { createRandom } from '../src/random.js';

export type ShapeName = '15M' | '42M' | '110M' | '350M' | '1.1B';

/** The fields of a Hugging Face `config.json` that say the sizes of a Llama. */
export interface LlamaShape {
  hidden_size: number;
  intermediate_size: number;
  num_hidden_layers: number;
  num_attention_heads: number;
  num_key_value_heads: number;
  vocab_size: number;
  tie_word_embeddings: boolean;
}

const common = { vocab_size: 32000, tie_word_embeddings: true };

/** The first three are those of karpathy's tinyllamas, the last is TinyLlama's. */
export const shapes: Record<ShapeName, LlamaShape> = {
  '15M': { ...sizes(288, 6, 6, 768), ...common },
  '42M': { ...sizes(512, 8, 8, 1376), ...common },
  '110M': { ...sizes(768, 12, 12, 2048), ...common },
  '350M': { ...sizes(1024, 24, 16, 2816), ...common },
  '1.1B': {
    ...sizes(2048, 22, 32, 5632),
    ...common,
    num_key_value_heads: 4,
    tie_word_embeddings: false,
  },
};

/** How their weights lie on the disk. Half precision where float32 would take 4.4 GB. */
export const storedAs: Record<ShapeName, FloatDtype> = {
  '15M': 'F32',
  '42M': 'F32',
  '110M': 'F32',
  '350M': 'F32',
  '1.1B': 'BF16',
};

export function isShapeName(name: string): name is ShapeName {
  return Object.hasOwn(shapes, name);
}

/** Names from a flag, `15M,110M`. Throws on one that is none. */
export function shapeNames(list: string): ShapeName[] {
  return list
    .split(',')
    .filter(Boolean)
    .map((name) => {
      if (isShapeName(name)) return name;
      throw new Error(`no shape ${name}; there are ${Object.keys(shapes).join(', ')}`);
    });
}

const torchTypes = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;

/** A whole `config.json`. */
export function configOf(shape: LlamaShape, dtype: FloatDtype = 'F32'): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    ...shape,
    max_position_embeddings: 1024,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    hidden_act: 'silu',
    attention_bias: false,
    bos_token_id: 1,
    eos_token_id: 2,
    torch_dtype: torchTypes[dtype],
  };
}

/** Every weight of the model under its Hugging Face name. */
export function tensorsOf(shape: LlamaShape, dtype: FloatDtype = 'F32'): TensorSpec[] {
  const { hidden_size: dim, intermediate_size: ffn, vocab_size: vocab } = shape;
  const kv = (dim / shape.num_attention_heads) * shape.num_key_value_heads;
  const tensor = (name: string, ...size: number[]): TensorSpec => ({
    name: `${name}.weight`,
    dtype,
    shape: size,
  });
  const layers = Array.from({ length: shape.num_hidden_layers }, (_, i) => {
    const layer = `model.layers.${i}`;
    return [
      tensor(`${layer}.input_layernorm`, dim),
      tensor(`${layer}.self_attn.q_proj`, dim, dim),
      tensor(`${layer}.self_attn.k_proj`, kv, dim),
      tensor(`${layer}.self_attn.v_proj`, kv, dim),
      tensor(`${layer}.self_attn.o_proj`, dim, dim),
      tensor(`${layer}.post_attention_layernorm`, dim),
      tensor(`${layer}.mlp.gate_proj`, ffn, dim),
      tensor(`${layer}.mlp.up_proj`, ffn, dim),
      tensor(`${layer}.mlp.down_proj`, dim, ffn),
    ];
  });
  return [
    tensor('model.embed_tokens', vocab, dim),
    ...layers.flat(),
    tensor('model.norm', dim),
    ...(shape.tie_word_embeddings ? [] : [tensor('lm_head', vocab, dim)]),
  ];
}

export function parameterCount(shape: LlamaShape): number {
  return tensorsOf(shape).reduce((sum, tensor) => sum + sizeOf(tensor), 0);
}

export interface StepFlops {
  /**
   * 6 · N · tokens: 2 per weight forward, 4 backward (Kaplan et al. 2020, arXiv 2001.08361). N is
   * the weights that are multiplied with every token: a tied table once (as the output), an untied
   * input table not at all, for a lookup multiplies nothing.
   */
  weights: number;
  /** 12 · layers · width · time · tokens: both attention products over all positions, no mask. */
  attention: number;
  total: number;
}

/** Floating-point operations of one training step on `batch` lines of `time` tokens. */
export function stepFlops(shape: LlamaShape, batch: number, time: number): StepFlops {
  const input = shape.tie_word_embeddings ? 0 : shape.vocab_size * shape.hidden_size;
  const tokens = batch * time;
  const weights = 6 * (parameterCount(shape) - input) * tokens;
  const attention = 12 * shape.num_hidden_layers * shape.hidden_size * time * tokens;
  return { weights, attention, total: weights + attention };
}

/**
 * Numbers drawn for a whole model. A prime, so that no two rows of a matrix hold the same ones unless
 * they are this many rows apart.
 */
const drawn = 1_000_003;

/**
 * Writes a Hugging Face folder without a tokenizer: weights from a normal distribution of standard
 * deviation 0.02 (Llama's own start), norms at 1. One block of numbers is drawn and every matrix
 * reads it from a place of its own, around and around: a billion weights are written as fast as the
 * disk takes them. The same seed gives the same folder.
 */
export function writeRandomModel(
  folder: string,
  shape: LlamaShape,
  seed: number,
  dtype: FloatDtype = 'F32',
): void {
  const tensors = tensorsOf(shape, dtype);
  const random = createRandom(seed);
  const block = encodeFloats(
    Float32Array.from({ length: drawn }, () => 0.02 * random.normal()),
    dtype,
  );
  const begins = new Map(tensors.map(({ name }) => [name, random.below(drawn)]));
  writeSafetensors(join(folder, 'model.safetensors'), tensors, (tensor) => {
    const size = sizeOf(tensor);
    if (tensor.shape.length === 1) return new Float32Array(size).fill(1);
    const bytes = floatBytes[dtype];
    return around(block, (begins.get(tensor.name) ?? 0) * bytes, size * bytes);
  });
  const config = JSON.stringify(configOf(shape, dtype), null, 2);
  writeFileAtomic(join(folder, 'config.json'), `${config}\n`);
}

/** `length` bytes of `block` from `begin` on, which after its end goes on at its start. */
function* around(block: Uint8Array, begin: number, length: number): Generator<Uint8Array> {
  for (let at = begin, left = length; left > 0; at = 0) {
    const piece = block.subarray(at, at + left);
    yield piece;
    left -= piece.length;
  }
}

function sizes(
  dim: number,
  layers: number,
  heads: number,
  ffn: number,
): Omit<LlamaShape, 'vocab_size' | 'tie_word_embeddings'> {
  return {
    hidden_size: dim,
    intermediate_size: ffn,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: heads,
  };
}

function sizeOf(tensor: TensorSpec): number {
  return tensor.shape.reduce((product, size) => product * size, 1);
}
