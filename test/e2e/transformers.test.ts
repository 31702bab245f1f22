/** A model that a run of ours saved, read by Hugging Face's own code. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isSkipped } from '../../bench/peers/lineProcess.js';
import { findPython } from '../../bench/peers/python.js';
import {
  checkTransformers,
  faultsOf,
  logitTolerance,
  neededPackages,
} from '../../scripts/transformers/check.js';
import { runJob } from '../../src/engine/job.js';
import { openModelFolder } from '../../src/model/folder.js';
import { runConfigSchema } from '../../src/runs/configSchema.js';
import { createRun } from '../../src/runs/runFolder.js';
import { expectError } from '../support/expectError.js';
import { temporaryFolder } from '../support/tinyModel.js';

const base = fileURLToPath(new URL('../../../shared/data/models/stories260K', import.meta.url));
const python = findPython(neededPackages);
const lacking = existsSync(base)
  ? isSkipped(python)
    ? python.skipped
    : undefined
  : '../shared/data/models/stories260K is missing';

describe.skipIf(lacking !== undefined)(
  `a saved model in transformers${lacking === undefined ? '' : ` (${lacking})`}`,
  () => {
    it('loads with our names, token ids and logits after a few steps of training', async () => {
      if (isSkipped(python)) throw new Error(python.skipped);
      const workspace = temporaryFolder();
      const dataset = join(workspace, 'rows.jsonl');
      const rows = Array.from({ length: 8 }, (_, i) => {
        return { prompt: `name[Place ${i}], food[fish]`, response: `Place ${i} has fish.` };
      });
      writeFileSync(dataset, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
      const config = runConfigSchema.parse({
        model: base,
        dataset,
        method: 'sft',
        provider: 'cpu',
        training: { learningRate: 1e-3, steps: 4, batchRows: 4, maxLength: 64 },
        evaluation: { klSamples: 0 },
      });
      const run = createRun(workspace, config);
      const { signal } = new AbortController();
      await runJob({ run, resume: false, until: 'end', signal, onEvent: () => undefined });

      const name = 'model.embed_tokens.weight';
      const [before, after] = [base, run.paths.model].map((folder) =>
        openModelFolder(folder).tensors.read(name),
      );
      expect(after).not.toEqual(before);

      const report = await checkTransformers(run.paths.model, python);
      expect(faultsOf(report)).toEqual([]);
      expect(report.logits).toBeGreaterThan(10_000);
    });
  },
);

it('passes on what the Python says that does not read the model', async () => {
  const python = { command: 'no-such-python', versions: {} };
  const error = await expectError('TRANSFORMERS_FAILED', () => checkTransformers('model', python));
  expect(error.message).toContain('there is no program “no-such-python”');
  expect(error.place).toEqual({ file: 'model' });
});

it('names every way in which transformers may see another model', () => {
  const same = {
    versions: {},
    missing: [],
    unexpected: [],
    mismatched: [],
    otherIds: [],
    worst: logitTolerance,
    logits: 1,
  };
  expect(faultsOf(same)).toEqual([]);
  expect(faultsOf({ ...same, missing: ['a', 'b'], mismatched: ['c'] })).toEqual([
    'missing: a, b',
    'mismatched: c',
  ]);
  expect(faultsOf({ ...same, otherIds: ['x'], unexpected: ['d'] })).toHaveLength(2);
  for (const worst of [2.1e-4, Infinity, NaN]) expect(faultsOf({ ...same, worst })).toHaveLength(1);
});
