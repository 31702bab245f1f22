/** What the phases say they will do is what a job then does, counted from its log. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadDownstream, loadSources } from '../../../src/engine/dataset.js';
import { requestsOf } from '../../../src/engine/estimate/requests.js';
import { runJob } from '../../../src/engine/job.js';
import { openModel } from '../../../src/engine/model.js';
import { planRun } from '../../../src/engine/phases/index.js';
import { expectedSources } from '../../../src/engine/sources/index.js';
import { ofKind } from '../../../src/engine/work.js';
import { defined } from '../../../src/errors.js';
import { loadTask } from '../../../src/evaluator/task.js';
import { eventsOf } from '../../../src/protocol/history.js';
import { readRunConfig } from '../../../src/runs/config.js';
import { createRun, readEvents } from '../../../src/runs/runFolder.js';
import { temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';

it.each(['last', 'kl'] as const)('a run plans what it does, best by %s', async (bestBy) => {
  const workspace = writeWorkspace(temporaryFolder(), {
    training: { steps: 13, checkpointEvery: 5 },
    evaluation: { every: 4, bestBy },
  });
  const config = readRunConfig(join(workspace, 'run.yaml'));
  const model = openModel(config.model);
  const { rows } = await loadSources(config.dataset, config, model);
  const tasks = [];
  for (const file of config.evaluation.tasks) {
    tasks.push(await requestsOf(loadTask(file), model, config.seed));
  }
  const downstream = defined(await loadDownstream(config, model), 'held-out rows');
  const sources = expectedSources(config, model, rows);
  const work = planRun({ config, model, sources, downstream, tasks });

  const run = createRun(workspace, config);
  const { signal } = new AbortController();
  await runJob({ run, resume: false, until: 'end', signal, onEvent: () => undefined });
  const events = readEvents(run);

  const training = defined(ofKind(work, 'train')[0], 'training');
  expect(eventsOf(events, 'train_step')).toHaveLength(training.steps);
  const checkpoints = eventsOf(events, 'checkpoint').filter(({ best }) => !best);
  if (bestBy === 'last') expect(checkpoints).toHaveLength(training.checkpoints);

  // Both ends are measured in full, and told as a subset too where no subset was measured there.
  const measured = ofKind(work, 'score');
  const during = Math.max(0, ...measured.map(({ times, items }) => (items < 6 ? times : 0)));
  const atEnds = measured.filter(({ times }) => times === 1).length / (tasks.length + 2);
  expect(atEnds).toBe(2);
  const told = eventsOf(events, 'evaluation');
  expect(told.filter(({ kind }) => kind === 'full')).toHaveLength(atEnds);
  const between = told.filter(({ kind, step }) => kind === 'subset' && step > 0 && step < 13);
  const last = bestBy === 'last' ? 0 : 1;
  expect(between).toHaveLength(during - last);

  const written = ofKind(work, 'write');
  const totals = new Set(eventsOf(events, 'sample_progress').map(({ total }) => total));
  expect(totals).toEqual(new Set([12, 6]));
  expect(written.map(({ samples }) => samples)).toEqual([12, 12, 6]);
});
