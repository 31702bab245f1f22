/** Llama: RMSNorm, rotary embedding, grouped heads, SwiGLU (Touvron et al. 2023; Llama 3). */
import { z } from 'zod';
import { add, mul, silu } from '../../graph/index.js';
import type { AttentionRule, Family, FamilySource } from '../architecture.js';
import { headFields, headsOf, numbersOf, parseConfig } from './config.js';
import { ropeFields, ropeOf } from './rope.js';

function schemaOf(source: FamilySource) {
  const numbers = numbersOf(source);
  return z.object({
    ...headFields(numbers),
    ...ropeFields,
    vocab_size: numbers.size,
    intermediate_size: numbers.size,
    num_hidden_layers: numbers.layers,
    max_position_embeddings: numbers.context.default(2048),
    rms_norm_eps: z.number().positive().default(1e-6),
    hidden_act: z.literal(['silu', 'swish']).default('silu'),
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(false),
  });
}

export function llama(source: FamilySource): Family {
  const config = parseConfig(schemaOf(source), source);
  const { hidden_size: hidden, intermediate_size: inner, rms_norm_eps: epsilon } = config;
  const { attention_bias: biased, mlp_bias: mlpBiased, tie_word_embeddings: tied } = config;
  const { heads, kvHeads, headDim } = headsOf(config, source.file);
  const rule: AttentionRule = {
    window: Infinity,
    scale: 1 / Math.sqrt(headDim),
    rope: ropeOf(config, headDim, source.file),
  };
  // A folder saved from the bare model, without its output layer, leaves the prefix out.
  const root = source.hasTensor('model.embed_tokens.weight') ? 'model.' : '';
  const table = `${root}embed_tokens`;

  return {
    family: 'llama',
    vocabSize: config.vocab_size,
    layers: config.num_hidden_layers,
    heads,
    kvHeads,
    headDim,
    contextLength: config.max_position_embeddings,
    attention: () => rule,
    aliases: tied ? { 'lm_head.weight': `${table}.weight` } : {},

    embed: (_g, w, { tokens }) => w.lookup(table, tokens, config.vocab_size, hidden),

    block: (g, w, layer, x, attend) => {
      const at = w.within(`${root}layers.${layer}`);
      const h = at.rmsNorm('input_layernorm', x, epsilon);
      const q = at.linear('self_attn.q_proj', h, heads * headDim, { bias: biased });
      const k = at.linear('self_attn.k_proj', h, kvHeads * headDim, { bias: biased });
      const v = at.linear('self_attn.v_proj', h, kvHeads * headDim, { bias: biased });
      const attended = attend(layer, q, k, v);
      const middle = add(g, x, at.linear('self_attn.o_proj', attended, hidden, { bias: biased }));

      const m = at.rmsNorm('post_attention_layernorm', middle, epsilon);
      const gate = silu(g, at.linear('mlp.gate_proj', m, inner, { bias: mlpBiased }));
      const up = at.linear('mlp.up_proj', m, inner, { bias: mlpBiased });
      return add(
        g,
        middle,
        at.linear('mlp.down_proj', mul(g, gate, up), hidden, { bias: mlpBiased }),
      );
    },

    head: (_g, w, x) => ({
      hidden: w.rmsNorm(`${root}norm`, x, epsilon),
      weight: w.head(tied ? table : 'lm_head', config.vocab_size, hidden),
    }),
  };
}
