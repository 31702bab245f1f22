/**
 * The models that the benchmarks train and sample: Llamas of three sizes with random weights, so
 * that every peer starts from the same numbers and nothing has to be downloaded.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../src/files.js';
import { writeSafetensors } from '../src/model/safetensorsWriter.js';
import type { TensorSpec } from '../src/model/safetensorsHeader.js';
import { createRandom } from '../src/random.js';

export type ShapeName = '15M' | '42M' | '110M';

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

/** Those of karpathy's tinyllamas. */
export const shapes: Record<ShapeName, LlamaShape> = {
  '15M': { ...sizes(288, 6, 6, 768), ...common },
  '42M': { ...sizes(512, 8, 8, 1376), ...common },
  '110M': { ...sizes(768, 12, 12, 2048), ...common },
};

/** A whole `config.json`. */
export function configOf(shape: LlamaShape): Record<string, unknown> {
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
    torch_dtype: 'float32',
  };
}

/** Every weight of the model under its Hugging Face name. */
export function tensorsOf(shape: LlamaShape): TensorSpec[] {
  const { hidden_size: dim, intermediate_size: ffn, vocab_size: vocab } = shape;
  const kv = (dim / shape.num_attention_heads) * shape.num_key_value_heads;
  const tensor = (name: string, ...size: number[]): TensorSpec => ({
    name: `${name}.weight`,
    dtype: 'F32',
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
 * Writes a Hugging Face folder without a tokenizer: float32 weights from a normal distribution of
 * standard deviation 0.02 (Llama's own start), norms at 1. The same seed gives the same folder.
 */
export function writeRandomModel(folder: string, shape: LlamaShape, seed: number): void {
  const tensors = tensorsOf(shape);
  const streams = new Map(tensors.map((tensor, i) => [tensor.name, i]));
  writeSafetensors(join(folder, 'model.safetensors'), tensors, (tensor) => {
    const values = new Float32Array(sizeOf(tensor)).fill(1);
    if (tensor.shape.length === 1) return values;
    const random = createRandom(seed, streams.get(tensor.name) ?? 0);
    return values.map(() => 0.02 * random.normal());
  });
  writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(configOf(shape), null, 2)}\n`);
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
