/** Reading an experiment that was never run. */
import { expect, it } from 'vitest';
import { finishedRuns } from '../../../scripts/forgetting/runs.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder } from '../../support/tinyModel.js';

it('names the runs that are not there', async () => {
  const workspace = temporaryFolder();
  const experiment = {
    ...{ model: 'base', data: 'data', workspace, seeds: [3, 4] },
    ...{ steps: 20, every: 10, limit: 8, subset: 4 },
  };
  const error = await expectError('RUNS_MISSING', () => finishedRuns(experiment));
  expect(error.message).toContain('base sft seed 3');
  expect(error.message).toContain('base cfs seed 4');
  expect(error.place.file).toBe(workspace);
});
