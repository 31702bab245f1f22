/**
 * A family that the product does not have, added by one file and one line of the list: it holds the
 * contract of all families, and a whole job runs on it.
 */
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { evaluateCommand, validateCommand } from '../../src/engine/commands.js';
import { runJob } from '../../src/engine/job.js';
import { openModel } from '../../src/engine/model.js';
import { defined } from '../../src/errors.js';
import type * as List from '../../src/model/families/list.js';
import { eventsOf } from '../../src/protocol/history.js';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun, readEvents, readResults, runState } from '../../src/runs/runFolder.js';
import { testProvider } from '../support/provider.js';
import { temporaryFolder, writeTinyModel, writeWorkspace } from '../support/tinyModel.js';
import { familyContract } from './familyContract.js';

vi.mock('../../src/model/families/list.js', async (original) => {
  const { families } = await original<typeof List>();
  const { gptNeox } = await import('../fixtures/families/gptNeox.js');
  return { families: { ...families, gpt_neox: gptNeox } };
});

const config = {
  model_type: 'gpt_neox',
  vocab_size: 48,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 3,
  max_position_embeddings: 160,
};

familyContract({
  name: 'gpt_neox',
  configs: {
    'side by side, a quarter of each head rotated, untied': {
      ...config,
      tie_word_embeddings: false,
    },
    'one after the other, whole heads rotated, tied': {
      ...config,
      tie_word_embeddings: true,
      use_parallel_residual: false,
      rotary_pct: 1,
      rotary_emb_base: 1000,
    },
    'no biases in attention, spelt as transformers 5 does': {
      ...config,
      tie_word_embeddings: false,
      attention_bias: false,
      rope_parameters: { rope_type: 'default', rope_theta: 500, partial_rotary_factor: 0.5 },
    },
  },
  oracles: ['gpt_neox'],
});

it.skipIf(testProvider !== 'cpu')('goes through a whole job to a model that opens', async () => {
  const workspace = writeWorkspace(temporaryFolder(), {
    training: { steps: 6, checkpointEvery: 3 },
    evaluation: { every: 3 },
  });
  const base = openModel(
    writeTinyModel(join(workspace, 'model'), {
      model_type: 'gpt_neox',
      architectures: ['GPTNeoXForCausalLM'],
      rotary_pct: 0.5,
    }),
  );
  const settings = readRunConfig(join(workspace, 'run.yaml'));
  const { estimate } = await validateCommand({ config: settings, workspace });
  expect(defined(estimate, 'estimate').memory.needed).toBeGreaterThan(0);

  const run = createRun(workspace, settings);
  const signal = new AbortController().signal;
  await runJob({ run, resume: false, until: 'end', signal, onEvent: () => undefined });
  expect(runState(run)).toBe('finished');
  const losses = eventsOf(readEvents(run), 'train_step').map(({ loss }) => loss);
  expect(losses).toHaveLength(6);
  expect(defined(losses.at(-1), 'loss')).toBeLessThan(defined(losses[0], 'loss'));

  const tuned = openModel(run.paths.model);
  expect(tuned.architecture.family).toBe('gpt_neox');
  expect(tuned.folder.tensors.names()).toEqual(base.folder.tensors.names());
  for (const { name } of tuned.architecture.parameters) {
    expect(tuned.folder.tensors.read(name), name).not.toEqual(base.folder.tensors.read(name));
  }
  const again = await evaluateCommand({
    config: settings,
    model: run.paths.model,
    signal,
    onEvent: () => undefined,
  });
  const results = defined(readResults(run), 'results');
  expect(again.tasks.map(({ score }) => score)).toEqual(
    results.tasks.map(({ final }) => final.score),
  );
  expect(again.downstream?.score).toBe(results.downstream?.final.score);
});
