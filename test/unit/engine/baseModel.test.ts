/** The base model is asked for, never assumed: not after training, not when another is in its place. */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createBaseModel } from '../../../src/engine/baseModel.js';
import { runJob } from '../../../src/engine/job.js';
import { openModel } from '../../../src/engine/model.js';
import { storePlanOf } from '../../../src/engine/phases/train.js';
import { defined } from '../../../src/errors.js';
import { openModelFolder } from '../../../src/model/folder.js';
import { writeSafetensors } from '../../../src/model/safetensorsWriter.js';
import { openDevice } from '../../../src/runtime/index.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { createRun, readSamples } from '../../../src/runs/runFolder.js';
import { createStore } from '../../../src/trainer/store.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';

/** The same model with every weight negated. */
function replaceModel(folder: string): void {
  const { tensors } = openModelFolder(folder);
  const values = new Map(tensors.names().map((name) => [name, tensors.read(name).map((x) => -x)]));
  const specs = tensors.names().map((name) => ({ name, ...tensors.info(name) }));
  writeSafetensors(join(folder, 'model.safetensors'), specs, ({ name }) =>
    defined(values.get(name), name),
  );
}

it('is shared with the store while that holds it, and read again afterwards', async () => {
  const config = readRunConfig(join(writeWorkspace(temporaryFolder()), 'run.yaml'));
  const model = openModel(config.model);
  const device = await openDevice({ name: 'cpu', threads: 1 });
  const plan = storePlanOf(config, model.architecture, 'cpu');
  const store = await createStore(device, plan, model.folder.tensors.readInto);
  const base = createBaseModel(device, model, store);
  const [name] = store.weights.keys();
  const first = defined(name, 'a parameter');
  const expected = model.folder.tensors.read(first);
  await base.use((weights) => {
    expect(weights).toBe(store.weights);
    return Promise.resolve();
  });
  await store.fill('weight', first, (values) => values.set(expected.map((value) => value + 1)));
  await base.use(async (weights) => {
    expect(weights).not.toBe(store.weights);
    expect(await device.read(defined(weights.get(first), first))).toEqual(expected);
  });
  store.release();
});

it('is compared before a resumed run writes anything', async () => {
  const workspace = writeWorkspace(temporaryFolder());
  const config = readRunConfig(join(workspace, 'run.yaml'));
  const run = createRun(workspace, config);
  const controller = new AbortController();
  await runJob({
    run,
    resume: false,
    until: 'end',
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === 'checkpoint') controller.abort();
    },
  });
  const samples = [...readSamples(run)].length;
  rmSync(run.paths.base);
  replaceModel(config.model);
  const { signal } = new AbortController();
  const again = { run, resume: true, until: 'end', signal, onEvent: () => undefined } as const;
  await expectError('RUN_CHANGED', () => runJob(again));
  expect(existsSync(run.paths.base)).toBe(false);
  expect([...readSamples(run)]).toHaveLength(samples);
});
