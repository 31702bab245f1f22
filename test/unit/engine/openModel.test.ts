/** Base models whose files are sound one by one but cannot be used, or not with each other. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openModel } from '../../../src/engine/model.js';
import type { ErrorCode } from '../../../src/errorCodes.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder, tinyConfig, writeTinyModel } from '../../support/tinyModel.js';

it.each<[string, ErrorCode, Record<string, unknown>, string, RegExp]>([
  ['another family', 'MODEL_UNSUPPORTED', { model_type: 'rwkv' }, 'model_type', /“rwkv”/],
  [
    'a rope scaling of another kind',
    'MODEL_UNSUPPORTED',
    { rope_scaling: { rope_type: 'yarn', factor: 4 } },
    'rope_scaling',
    /“yarn”/,
  ],
  [
    'a config that lacks a size',
    'MODEL_CONFIG_INVALID',
    { hidden_size: undefined },
    'hidden_size',
    /expected number/,
  ],
  [
    'heads that do not divide',
    'MODEL_CONFIG_INVALID',
    { num_key_value_heads: 3 },
    'num_attention_heads',
    /4 attention heads/,
  ],
  [
    'weights of another size',
    'TENSOR_SHAPE',
    { intermediate_size: 65 },
    'model.layers.0.mlp.gate_proj.weight',
    /\[64, 48\].*\[65, 48\]/,
  ],
])('refuses %s', async (_, code, changes, field, message) => {
  const folder = writeTinyModel(temporaryFolder());
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...tinyConfig, ...changes }));
  const error = await expectError(code, () => openModel(folder));
  expect(error.message).toMatch(message);
  expect(error.place.field).toBe(field);
  expect(error.place.file).toContain(folder);
});
