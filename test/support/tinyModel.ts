/**
 * A random Llama folder and everything a whole job needs around it (dataset, tasks, held-out rows),
 * small enough to be made by each test, so that no test of a job needs files from elsewhere.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { writeSafetensors } from '../../src/model/safetensorsWriter.js';
import { createRandom } from '../../src/random.js';
import { configArchitecture } from './configArchitecture.js';

export const demoFolder = fileURLToPath(new URL('../../media/demo/', import.meta.url));

/** 65,424 parameters: 1,024 words, 48 wide, 1 layer, grouped heads, tied. */
export const tinyConfig = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  vocab_size: 1024,
  hidden_size: 48,
  intermediate_size: 64,
  num_hidden_layers: 1,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 96,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
  bos_token_id: 0,
  eos_token_id: 1,
  torch_dtype: 'float32',
};

/** A new empty folder that is removed after the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a model folder with random weights and the demo's tokenizer; returns it. */
export function writeTinyModel(folder: string, overrides: Record<string, unknown> = {}): string {
  mkdirSync(folder, { recursive: true });
  for (const name of ['tokenizer.json', 'tokenizer_config.json']) {
    cpSync(join(demoFolder, 'model', name), join(folder, name));
  }
  const config = { ...tinyConfig, ...overrides };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2));
  writeWeights(join(folder, 'model.safetensors'), config);
  return folder;
}

/** Normal weights, spread enough that the model prefers some tokens to others. */
function writeWeights(file: string, config: Record<string, unknown>): void {
  const random = createRandom(11);
  const { parameters } = configArchitecture(config);
  const specs = parameters.map(({ name, shape }) => ({ name, shape, dtype: 'F32' }));
  const vectors = new Set(
    parameters.filter(({ role }) => role === 'vector').map(({ name }) => name),
  );
  writeSafetensors(file, specs, ({ name, shape }) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      vectors.has(name) ? 1 + 0.1 * random.normal() : 0.2 * random.normal(),
    ),
  );
}

/** Short prompt and completion pairs. */
export function pairs(count: number, from = 0): { prompt: string; completion: string }[] {
  const things = ['boat', 'ring', 'rope', 'hat', 'drum'];
  return Array.from({ length: count }, (_, i) => ({
    prompt: `Ticket ${from + i}: the ${things[(from + i) % things.length]} is lost.`,
    completion: ` We look for ticket ${from + i}${' again'.repeat(i % 4)}.`,
  }));
}

export function jsonLines(records: readonly unknown[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join('');
}

/**
 * A workspace with `model/`, `dataset.jsonl`, `heldout.jsonl`, three kinds of tasks and a `run.yaml`
 * of the given fields (their paths relative to it); returns its folder.
 */
export function writeWorkspace(folder: string, fields: Record<string, unknown> = {}): string {
  writeTinyModel(join(folder, 'model'));
  writeFileSync(join(folder, 'dataset.jsonl'), jsonLines(pairs(40)));
  writeFileSync(join(folder, 'heldout.jsonl'), jsonLines(pairs(12, 100)));
  writeTasks(join(folder, 'tasks'));
  return writeRunYaml(folder, fields);
}

/** A job of a few seconds that goes through every phase. */
export function writeRunYaml(folder: string, fields: Record<string, unknown> = {}): string {
  const { training, evaluation, generation, ...rest } = fields as Record<string, object>;
  const config = {
    name: 'tiny',
    model: 'model',
    dataset: 'dataset.jsonl',
    method: 'cfs',
    seed: 5,
    provider: 'cpu',
    threads: 1,
    ...rest,
    generation: { count: 12, maxLength: 24, batchSize: 4, ...generation },
    training: {
      learningRate: 0.003,
      steps: 12,
      batchRows: 8,
      maxTokensPerMicroBatch: 192,
      checkpointEvery: 4,
      ...training,
    },
    evaluation: {
      tasks: ['tasks/choice.yaml', 'tasks/text.yaml', 'tasks/write.yaml'],
      downstream: 'heldout.jsonl',
      every: 6,
      subset: 4,
      klSamples: 6,
      ...evaluation,
    },
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'run.yaml'), JSON.stringify(config, null, 2));
  return folder;
}

function writeTasks(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const task = (name: string, kind: string, fields: string[], items: unknown[]): void => {
    const head = [`task: ${name}`, `data: ${name}.jsonl`, `kind: ${kind}`];
    writeFileSync(join(folder, `${name}.yaml`), `${[...head, ...fields].join('\n')}\n`);
    writeFileSync(join(folder, `${name}.jsonl`), jsonLines(items));
  };
  task(
    'choice',
    'multiple_choice',
    ['doc_to_text: "{{q}}"', 'doc_to_choice: choices', 'doc_to_target: answer', 'metrics: [acc]'],
    Array.from({ length: 8 }, (_, i) => ({
      q: `${i}+1=`,
      choices: [String(i + 1), String(i + 2), String(i)],
      answer: 0,
    })),
  );
  task(
    'text',
    'loglikelihood_rolling',
    ['doc_to_target: "{{text}}"', 'metrics: [token_perplexity]'],
    Array.from({ length: 6 }, (_, i) => ({ text: `Once there were ${i} birds in a tree.` })),
  );
  task(
    'write',
    'generate_until',
    [
      'doc_to_text: "say {{word}}:"',
      'doc_to_target: "{{word}}"',
      'metrics: [exact_match]',
      'generation: {until: ["."], max_tokens: 6}',
    ],
    ['tree', 'duck', 'lake'].map((word) => ({ word })),
  );
}
