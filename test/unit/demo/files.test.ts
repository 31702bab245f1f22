/** The files under media/demo are what the generator gives, and the evaluator can read them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { describe, expect, it } from 'vitest';
import { demoFiles, demoFolder } from '../../../scripts/demo/generate.js';
import { modelConfig } from '../../../scripts/demo/modelConfig.js';
import { loadTask } from '../../../src/evaluator/task.js';

const files = demoFiles();
const read = (path: string): string => readFileSync(join(demoFolder, path), 'utf8');
const taskFiles = [...files.keys()].filter((path) => path.endsWith('.yaml'));
const tokenizer = new Tokenizer(
  JSON.parse(read('model/tokenizer.json')) as object,
  JSON.parse(read('model/tokenizer_config.json')) as object,
);

describe('media/demo', () => {
  it.each([...files.keys()])('%s is what the generator writes', (path) => {
    expect(read(path) === files.get(path)).toBe(true);
  });

  it('stays small', () => {
    const bytes = [...files.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    expect(bytes).toBeLessThan(1_500_000);
  });

  it('has a config that fits the tokenizer', () => {
    const { model } = JSON.parse(read('model/tokenizer.json')) as {
      model: { vocab: Record<string, number> };
    };
    expect(Object.keys(model.vocab)).toHaveLength(modelConfig.vocab_size);
    expect(model.vocab['<|begin|>']).toBe(modelConfig.bos_token_id);
    expect(model.vocab['<|end|>']).toBe(modelConfig.eos_token_id);
  });

  it.each(taskFiles)('%s is read by the evaluator with all its items', (path) => {
    const task = loadTask(join(demoFolder, path));
    expect(task.definition.task).toMatch(/^demo_/);
    expect(task.items.length).toBeGreaterThanOrEqual(100);
  });

  it('has no row or item longer than the model’s context', () => {
    const rows = [...files]
      .filter(([path]) => path.endsWith('.jsonl'))
      .flatMap(([, text]) => text.trimEnd().split('\n'));
    // The whole JSON line is longer than anything that is ever made of it.
    const longest = Math.max(...rows.map((row) => tokenizer.encode(row).ids.length));
    expect(longest).toBeLessThan(modelConfig.max_position_embeddings);
  });
});
