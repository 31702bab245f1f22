/**
 * The shape of the demo's base model: the smallest Llama that learns all five skills in minutes on
 * two cores, with grouped-query attention and tied embeddings so that the demo takes the same paths
 * as the models people bring. The object is a Hugging Face `config.json`. `initializer_range` is about
 * 1/√hidden_size: with the 0.02 of wide models, so narrow a one hardly begins to learn lookups.
 */
export const modelConfig = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 1024,
  hidden_size: 128,
  intermediate_size: 352,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 32,
  max_position_embeddings: 256,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  attention_bias: false,
  mlp_bias: false,
  tie_word_embeddings: true,
  initializer_range: 0.08,
  bos_token_id: 0,
  eos_token_id: 1,
  torch_dtype: 'float32',
} as const;
