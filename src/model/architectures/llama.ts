/** Llama: RMSNorm, rotary embedding, grouped heads, SwiGLU (Touvron et al. 2023; Llama 3). */
import { z } from 'zod';
import { CfsError } from '../../errors.js';
import { add, embedding, linear, mul, rmsNorm, silu } from '../../graph/index.js';
import type { Architecture, Parameter } from '../architecture.js';
import { inverseFrequencies, ropeFields } from '../rope.js';

const size = z.number().int().positive();

const schema = z.looseObject({
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size.optional(),
  head_dim: size.nullish(),
  max_position_embeddings: size.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_act: z.literal(['silu', 'swish']).default('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(false),
  ...ropeFields,
});

export function llama(json: Record<string, unknown>, file: string): Architecture {
  const config = parse(json, file);
  const { hidden_size: hidden, intermediate_size: inner, rms_norm_eps: epsilon } = config;
  const heads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? heads;
  const headDim = config.head_dim ?? hidden / heads;
  const prefix = (layer: number): string => `model.layers.${layer}`;
  const outputWeight = config.tie_word_embeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';

  const matrix = (name: string, rows: number, columns: number): Parameter => ({
    name,
    shape: [rows, columns],
    vector: false,
  });
  const vector = (name: string, length: number): Parameter => ({
    name,
    shape: [length],
    vector: true,
  });
  const projection = (name: string, rows: number, columns: number, bias: boolean): Parameter[] => [
    matrix(`${name}.weight`, rows, columns),
    ...(bias ? [vector(`${name}.bias`, rows)] : []),
  ];
  const layerParameters = (layer: number): Parameter[] => {
    const at = prefix(layer);
    const { attention_bias: biased, mlp_bias: mlpBiased } = config;
    return [
      vector(`${at}.input_layernorm.weight`, hidden),
      ...projection(`${at}.self_attn.q_proj`, heads * headDim, hidden, biased),
      ...projection(`${at}.self_attn.k_proj`, kvHeads * headDim, hidden, biased),
      ...projection(`${at}.self_attn.v_proj`, kvHeads * headDim, hidden, biased),
      ...projection(`${at}.self_attn.o_proj`, hidden, heads * headDim, biased),
      vector(`${at}.post_attention_layernorm.weight`, hidden),
      ...projection(`${at}.mlp.gate_proj`, inner, hidden, mlpBiased),
      ...projection(`${at}.mlp.up_proj`, inner, hidden, mlpBiased),
      ...projection(`${at}.mlp.down_proj`, hidden, inner, mlpBiased),
    ];
  };

  return {
    family: 'llama',
    vocabSize: config.vocab_size,
    layers: config.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    contextLength: config.max_position_embeddings,
    attentionScale: 1 / Math.sqrt(headDim),
    window: () => Infinity,
    inverseFrequencies: inverseFrequencies(config, headDim, file),
    outputWeight,
    parameters: [
      matrix('model.embed_tokens.weight', config.vocab_size, hidden),
      ...Array.from({ length: config.num_hidden_layers }, (_, i) => layerParameters(i)).flat(),
      vector('model.norm.weight', hidden),
      ...(config.tie_word_embeddings ? [] : [matrix('lm_head.weight', config.vocab_size, hidden)]),
    ],

    embed: (g, p, tokens) => embedding(g, p('model.embed_tokens.weight'), tokens),

    block: (g, p, layer, x, attend) => {
      const at = prefix(layer);
      const project = (name: string, value: typeof x, bias: boolean): typeof x =>
        linear(g, value, p(`${at}.${name}.weight`), bias ? p(`${at}.${name}.bias`) : undefined);
      const norm = (name: string, value: typeof x): typeof x =>
        rmsNorm(g, value, p(`${at}.${name}.weight`), epsilon);
      const { attention_bias: biased, mlp_bias: mlpBiased } = config;

      const h = norm('input_layernorm', x);
      const q = project('self_attn.q_proj', h, biased);
      const k = project('self_attn.k_proj', h, biased);
      const v = project('self_attn.v_proj', h, biased);
      const attended = project('self_attn.o_proj', attend(layer, q, k, v), biased);
      const middle = add(g, x, attended);

      const m = norm('post_attention_layernorm', middle);
      const gate = silu(g, project('mlp.gate_proj', m, mlpBiased));
      const up = project('mlp.up_proj', m, mlpBiased);
      return add(g, middle, project('mlp.down_proj', mul(g, gate, up), mlpBiased));
    },

    finish: (g, p, x) => rmsNorm(g, x, p('model.norm.weight'), epsilon),
  };
}

function parse(json: Record<string, unknown>, file: string): z.infer<typeof schema> {
  const result = schema.safeParse(json);
  const issue = result.error?.issues[0];
  if (!result.success) {
    throw new CfsError({
      code: 'MODEL_CONFIG_INVALID',
      message: `The model's config is not a Llama config: ${issue?.message ?? 'unreadable'}.`,
      remedy: 'Download the model again, or choose another base model.',
      place: { file, field: issue?.path.join('.') },
    });
  }
  const { num_attention_heads: heads, num_key_value_heads: kvHeads = heads } = result.data;
  const headDim = result.data.head_dim ?? result.data.hidden_size / heads;
  if (heads % kvHeads !== 0 || !Number.isInteger(headDim) || headDim % 2 !== 0) {
    throw new CfsError({
      code: 'MODEL_CONFIG_INVALID',
      message: `${heads} attention heads do not fit ${kvHeads} key/value heads of size ${headDim}.`,
      remedy: 'Download the model again, or choose another base model.',
      place: { file, field: 'num_attention_heads' },
    });
  }
  return result.data;
}
