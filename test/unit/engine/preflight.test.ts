/** What is known of a run before it runs; `test/e2e/preflight.test.ts` has what a person sees of it. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSources } from '../../../src/engine/dataset.js';
import { requireDisk } from '../../../src/engine/estimate/disk.js';
import { inspectModel } from '../../../src/engine/model.js';
import { createPreflight, type PreflightRequest } from '../../../src/engine/preflight.js';
import { bytesIn, requireWritable } from '../../../src/engine/writable.js';
import { defined } from '../../../src/errors.js';
import { openModelFolder } from '../../../src/model/folder.js';
import { writeSafetensors } from '../../../src/model/safetensorsWriter.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { createRun } from '../../../src/runs/runFolder.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder, writeTinyModel, writeWorkspace } from '../../support/tinyModel.js';

const workspace = writeWorkspace(temporaryFolder());
const config = readRunConfig(join(workspace, 'run.yaml'));
const sound = inspectModel(config.model);

/** The findings of a sound run with these changes. */
async function findingsOf(changes: Partial<PreflightRequest> = {}) {
  const { rows } = await loadSources(config.dataset, config, defined(sound.model, 'model'));
  const request = { config, inspection: sound, modelKey: 'm', rows, place: { workspace } };
  const how = { inThisProcess: true, thorough: true };
  const { findings } = await createPreflight()({ ...request, ...how, ...changes });
  return findings.map(({ severity, field, problem }) => ({ severity, field, ...problem, problem }));
}

/** The tiny model with more tensors than it needs. */
function withTensors(names: string[]): string {
  const folder = writeTinyModel(temporaryFolder());
  const { tensors } = openModelFolder(folder);
  const kept = tensors.names().map((name) => ({
    spec: { name, ...tensors.info(name) },
    values: tensors.read(name),
  }));
  const more = names.map((name) => ({
    spec: { name, dtype: 'F32', shape: [2] },
    values: Float32Array.of(1, 2),
  }));
  const all = new Map([...kept, ...more].map((tensor) => [tensor.spec.name, tensor]));
  writeSafetensors(
    join(folder, 'model.safetensors'),
    [...all.values()].map(({ spec }) => spec),
    ({ name }) => defined(all.get(name), name).values,
  );
  return folder;
}

describe('a preflight', () => {
  it('finds nothing wrong with a sound run, and leaves nothing behind', async () => {
    const before = readdirSync(workspace);
    expect(await findingsOf()).toMatchObject([{ severity: 'warning', code: 'LICENSE_MISSING' }]);
    expect(readdirSync(workspace)).toEqual(before);
  });

  it('names tensors that the model does not use, and is content with a license', async () => {
    // A tied head that is stored a second time is used.
    const names = ['rotary.inv_freq', 'lm_head.weight'];
    const folder = withTensors(names);
    writeFileSync(join(folder, 'license.md'), 'free');
    const findings = await findingsOf({ inspection: inspectModel(folder) });
    expect(findings).toMatchObject([
      { severity: 'warning', field: 'model', code: 'TENSORS_UNUSED' },
    ]);
    expect(findings[0]?.problem.message).toContain('a tensor that this model does not use: rotary');
  });

  it('tells a small budget only of samples that a budget decides about', async () => {
    const withBudget = (budget: number, changes: object = {}) =>
      findingsOf({
        config: {
          ...config,
          generation: { ...config.generation, count: undefined, budget },
          ...changes,
        },
      }).then((findings) => findings.map(({ code }) => code));
    expect(await withBudget(0.024)).toContain('BUDGET_SMALL');
    expect(await withBudget(0.025)).not.toContain('BUDGET_SMALL');
    expect(await withBudget(0.024, { method: 'sft' })).not.toContain('BUDGET_SMALL');
  });

  it('finds a model folder of others where the run would save its own', async () => {
    const run = createRun(workspace, config);
    mkdirSync(run.paths.model);
    writeFileSync(join(run.paths.model, 'notes.txt'), 'mine');
    expect(await findingsOf({ place: { run } })).toContainEqual(
      expect.objectContaining({ severity: 'error', code: 'SAVE_TARGET_IN_USE' }),
    );
  });
});

describe('the disk', () => {
  it('has to hold what is still to be written', async () => {
    expect(() => requireDisk(100, 100, workspace)).not.toThrow();
    const { message } = await expectError('DISK_SHORT', () => requireDisk(2048, 1024, workspace));
    expect(message).toContain('need 2 KiB; 1 KiB are free');
  });

  it('is counted below a folder too', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a', 'b'), { recursive: true });
    writeFileSync(join(folder, 'one'), '123');
    writeFileSync(join(folder, 'a', 'b', 'two'), '4567');
    expect(bytesIn(folder)).toBe(7);
    expect(bytesIn(join(folder, 'none'))).toBe(0);
  });

  it.each([true, false])(
    'is tried where the folder is still to be made (thorough: %s)',
    async (thorough) => {
      const folder = temporaryFolder();
      requireWritable(join(folder, 'to', 'be', 'made'), thorough);
      expect(readdirSync(folder)).toEqual([]);
      // No permission keeps root out of a folder, but nobody makes one in a file.
      writeFileSync(join(folder, 'file'), '');
      const below = join(folder, 'file', 'runs');
      const { place } = await expectError('WRITE_FAILED', () => requireWritable(below, thorough));
      expect(place.file).toBe(below);
    },
  );
});
