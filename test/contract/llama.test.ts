/** Llama under the contract of all families. */
import { familyContract } from './familyContract.js';

const config = {
  model_type: 'llama',
  vocab_size: 48,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 160,
};

familyContract({
  name: 'llama',
  configs: {
    'grouped heads, untied': { ...config, tie_word_embeddings: false },
    'biases, tied': {
      ...config,
      tie_word_embeddings: true,
      attention_bias: true,
      mlp_bias: true,
    },
    'one key head, wide heads, long context': {
      ...config,
      tie_word_embeddings: false,
      num_key_value_heads: 1,
      head_dim: 10,
      rope_theta: 1000,
      rope_scaling: {
        rope_type: 'llama3',
        factor: 4,
        low_freq_factor: 1,
        high_freq_factor: 4,
        original_max_position_embeddings: 64,
      },
    },
    'half of each head rotated': {
      ...config,
      tie_word_embeddings: false,
      head_dim: 8,
      partial_rotary_factor: 0.5,
    },
  },
  oracles: [
    ...['llama', 'llama-bf16', 'llama-sharded', 'llama3rope'],
    ...['llama-partial-rotary', 'llama3-partial-rotary'],
  ],
});
