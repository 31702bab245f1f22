/** Which elements of a head are rotated, and how fast, by what a config says. */
import { expect, it } from 'vitest';
import { architectureOf } from '../../../src/model/families/index.js';
import { expectError } from '../../support/expectError.js';

const file = 'config.json';

/** θ of every rotated pair, in a Llama of heads of 10 elements. */
function frequenciesOf(overrides: Record<string, unknown>): readonly number[] | undefined {
  const config = {
    model_type: 'llama',
    vocab_size: 16,
    hidden_size: 20,
    intermediate_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    ...overrides,
  };
  const architecture = architectureOf({ config, file, hasTensor: () => true });
  return architecture.attention(0).rope?.inverseFrequencies;
}

it.each([
  ['partial_rotary_factor beside the others', { partial_rotary_factor: 0.4, rope_theta: 256 }],
  [
    'partial_rotary_factor among the rope_parameters of transformers 5',
    { rope_parameters: { rope_type: 'default', rope_theta: 256, partial_rotary_factor: 0.4 } },
  ],
  [
    'both, of which the newer place counts',
    {
      partial_rotary_factor: 0.8,
      rope_parameters: { rope_type: 'default', rope_theta: 256, partial_rotary_factor: 0.4 },
    },
  ],
  ['a share that is rounded down', { partial_rotary_factor: 0.49, rope_theta: 256 }],
])('rotates part of a head: %s', (_, overrides) => {
  expect(frequenciesOf(overrides)).toEqual([1, 256 ** -0.5]);
});

it.each([{}, { partial_rotary_factor: null }, { partial_rotary_factor: 1 }])(
  'rotates whole heads: %j',
  (overrides) => {
    expect(frequenciesOf(overrides)).toHaveLength(5);
  },
);

it.each([
  ['an odd number of elements', 0.3, '0.3 of a head of 10 elements is 3'],
  ['no pair', 0.1, '0.1 of a head of 10 elements is 1'],
  ['nothing', 0.05, '0.05 of a head of 10 elements is 0'],
])('refuses to rotate %s', async (_, share, message) => {
  const old = await expectError('MODEL_CONFIG_INVALID', () =>
    frequenciesOf({ partial_rotary_factor: share }),
  );
  expect(old.place).toEqual({ file, field: 'partial_rotary_factor' });
  expect(old.message).toContain(message);
  const newer = await expectError('MODEL_CONFIG_INVALID', () =>
    frequenciesOf({ rope_parameters: { partial_rotary_factor: share } }),
  );
  expect(newer.place).toEqual({ file, field: 'rope_parameters.partial_rotary_factor' });
});

it.each([0, -0.5, 1.5, 'half'])('refuses %j as a share', async (share) => {
  const error = await expectError('MODEL_CONFIG_INVALID', () =>
    frequenciesOf({ partial_rotary_factor: share }),
  );
  expect(error.place).toEqual({ file, field: 'partial_rotary_factor' });
});
