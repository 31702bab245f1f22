/** Datasets and models are told from other files by their names. */
import { describe, expect, it } from 'vitest';
import { isDatasetFile, isModelFolder } from '../../../src/host/fileKinds.js';

describe('isDatasetFile', () => {
  it.each(['rows.jsonl', 'a/rows.JSONL', 'table.csv', 'alpaca_en_demo.json'])('%s is one', (path) =>
    expect(isDatasetFile(path)).toBe(true),
  );

  it.each([
    'notes.txt',
    'package.json',
    'tsconfig.build.json',
    '.prettierrc.json',
    'model/config.json',
    'model/generation_config.json',
    'model/tokenizer_config.json',
    'model/tokenizer.json',
    'model/model.safetensors.index.json',
  ])('%s is none', (path) => expect(isDatasetFile(path)).toBe(false));
});

describe('isModelFolder', () => {
  it('needs a config and weights', () => {
    expect(isModelFolder(['config.json', 'model.safetensors', 'tokenizer.json'])).toBe(true);
    expect(isModelFolder(['config.json', 'model-00001-of-00002.safetensors'])).toBe(true);
    expect(isModelFolder(['config.json', 'tokenizer.json'])).toBe(false);
    expect(isModelFolder(['model.safetensors'])).toBe(false);
  });
});
