/**
 * A method and a source that the product does not know, each in one file and one list: everything
 * that reads the lists has them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { validateCommand } from '../../../src/engine/commands.js';
import { runJob } from '../../../src/engine/job.js';
import type * as sourceList from '../../../src/engine/sources/list.js';
import { defined } from '../../../src/errors.js';
import { methodLabel } from '../../../src/methods/index.js';
import type * as methodList from '../../../src/methods/list.js';
import { openSafetensors } from '../../../src/model/safetensors.js';
import { runCurves, lossParts } from '../../../src/protocol/curveData.js';
import { eventsOf } from '../../../src/protocol/history.js';
import { sourceRoles } from '../../../src/protocol/sourceRoles.js';
import { parseRunConfig, readRunConfig, stringifyRunConfig } from '../../../src/runs/config.js';
import { checkConfigData, configFormSchema } from '../../../src/runs/configForm.js';
import { readIdentity } from '../../../src/runs/identity.js';
import { createRun, readEvents, readResults, type RunFolder } from '../../../src/runs/runFolder.js';
import { createGradientComputer, objectiveOf, type Objective } from '../../../src/trainer/step.js';
import { formOf, schemaNode } from '../../../webview-ui/panel/mix/formModel.js';
import { madeUp } from '../../support/madeUpMethod.js';
import { phraseBookWords, phraseRows } from '../../support/madeUpSource.js';
import { temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';
import {
  deviation,
  randomRows,
  snapshot,
  stepOf,
  tinyTraining,
} from '../../support/tinyTraining.js';

vi.mock('../../../src/methods/list.js', async (original) => {
  const { methods } = await original<typeof methodList>();
  const added = await import('../../support/madeUpMethod.js');
  return { methods: [...methods, added.madeUp] };
});
vi.mock('../../../src/engine/sources/list.js', async (original) => {
  const { sourceKinds } = await original<typeof sourceList>();
  const { phraseBook } = await import('../../support/madeUpSource.js');
  return { sourceKinds: [...sourceKinds, phraseBook] };
});
sourceRoles['phrase-book'] = phraseBookWords;

const text = 'model: base\ndataset: rows.jsonl\nmethod: made-up\n';

describe('a method that is added', () => {
  it('is in run.yaml, with fields of its own that are checked', () => {
    const config = parseRunConfig(`${text}made-up: { focus: 2 }\n`, '/somewhere/run.yaml');
    expect(config).toMatchObject({ method: 'made-up', 'made-up': { focus: 2, keep: 0.75 } });
    const wrong = (): unknown => parseRunConfig(`${text}made-up: { focus: -1 }\n`, '/a/run.yaml');
    expect(wrong).toThrow('`made-up.focus`: must be at least 0');
    const written = stringifyRunConfig(config, '/somewhere/run.yaml');
    expect(written).toContain('# How much more the unlikely tokens count.');
    expect(written).toContain('made-up: Train harder on unlikely tokens');
    expect(parseRunConfig(written, '/somewhere/run.yaml')).toEqual(config);
  });

  it('is in the form: a choice, its own section, and the fields that it uses', () => {
    const schema = schemaNode.parse(configFormSchema());
    const sectionsOf = (method: string) =>
      formOf(schema, { method }, []).sections.map(({ label, basic, advanced }) => ({
        label,
        fields: [...basic, ...advanced].map((field) => field.label),
      }));
    const own = { label: 'Made up', fields: ['Focus', 'Pull', 'Keep'] };
    expect(sectionsOf('made-up')).toContainEqual(own);
    expect(sectionsOf('cfs')).not.toContainEqual(own);
    const samples = (method: string) =>
      sectionsOf(method).find(({ label }) => label === 'Context-free samples')?.fields;
    expect(samples('cfs')).toContain('Generation budget');
    expect(samples('made-up')).not.toContain('Generation budget');
    expect(samples('made-up')).toContain('Number of samples');
    const method = formOf(schema, { method: 'made-up' }, []).sections[0]?.basic.find(
      ({ id }) => id === 'method',
    );
    expect(method?.help).toBe(madeUp.about);
    expect(method?.control).toMatchObject({
      choices: [{ label: 'Standard' }, { label: 'CFS' }, { value: 'made-up', label: 'Made up' }],
    });
    const check = checkConfigData({ model: '/m', dataset: '/d', method: 'made-up', 'made-up': 1 });
    expect(check).toMatchObject({ problems: [{ field: 'made-up' }] });
  });

  it('has a label wherever a run is shown', () => {
    expect(methodLabel('made-up')).toBe('Made up');
  });
});

describe('its objective', () => {
  const rows = randomRows(9, 1);
  const ids = ['dataset', 'cfs', 'phrases'];
  const step = stepOf(rows, (row) => ids[row % 3] ?? '');
  const settings = { lambda: 0.7, own: { focus: 0.8, pull: 0, keep: 1 } };

  async function gradientsOf(objective: Objective) {
    const { device, architecture, store } = await tinyTraining();
    const shape = { time: 32, maxTokens: 64 };
    const computer = createGradientComputer(device, architecture, store, shape, objective);
    const report = await computer.compute(step);
    const gradients = await snapshot(store, 'gradient');
    await computer.release();
    store.release();
    return { ...report, gradients };
  }

  it('is minimised: its weights, and its term by the chain rule', async () => {
    const objective = objectiveOf(madeUp, settings);
    const found = await gradientsOf(objective);
    const weights = objective.targetWeights(step);
    const sum = found.nll.reduce(
      (total, nll, i) => total + defined(weights[i], 'weight') * (nll + 0.4 * nll * nll),
      0,
    );
    expect(found.loss).toBeCloseTo(sum, 4);
    // d(nll + ½·f·nll²) = (1 + f·nll)·d nll: the same gradients from weights alone.
    const same = await gradientsOf({
      targetWeights: () => weights.map((weight, i) => weight * (1 + 0.8 * (found.nll[i] ?? NaN))),
    });
    expect(deviation(found.gradients, same.gradients)).toBeLessThan(1e-5);
    const plain = await gradientsOf({ targetWeights: () => weights });
    expect(deviation(found.gradients, plain.gradients)).toBeGreaterThan(0.1);
  });
});

describe('a run with it', () => {
  const workspace = temporaryFolder();
  const start = async (own: Record<string, number>): Promise<RunFolder> => {
    writeWorkspace(workspace, {
      method: 'made-up',
      'made-up': own,
      evaluation: { tasks: ['tasks/choice.yaml'], klSamples: 0 },
    });
    const made = createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
    const { signal } = new AbortController();
    const job = { run: made, resume: false, until: 'end', signal } as const;
    await runJob({ ...job, onEvent: () => undefined });
    return made;
  };
  let run: RunFolder;
  beforeAll(async () => {
    run = await start({ focus: 0.2, keep: 0.5 });
  });

  it('is previewed with all its sources', async () => {
    const { preview } = await validateCommand({ config: run.config });
    expect(preview?.sources).toMatchObject([
      { id: 'dataset', role: 'dataset', rows: 40, rowsPerEpoch: 40, planned: false },
      { id: 'cfs', role: 'context-free', rows: 12, rowsPerEpoch: 12, planned: true },
      // An eighth of the epoch would be 7, but every one of the 8 batches has one.
      { id: 'phrases', role: 'phrase-book', rows: 10, rowsPerEpoch: 8, planned: false },
    ]);
    expect(new Set(preview?.batch.map(({ source }) => source))).toEqual(
      new Set(['dataset', 'cfs', 'phrases']),
    );
  });

  it('trains on all of them, each with its loss and its identity', () => {
    const events = readEvents(run);
    const steps = eventsOf(events, 'train_step');
    expect(steps).toHaveLength(12);
    for (const { losses } of steps) {
      expect(Object.keys(losses)).toEqual(['dataset', 'cfs', 'phrases']);
      expect(Object.values(losses).every((loss) => loss !== null && loss > 0)).toBe(true);
    }
    expect(steps.at(-1)?.losses.phrases).toBeLessThan(defined(steps[0]?.losses.phrases, 'loss'));
    const identity = new Map(readIdentity(run)?.groups.map(({ group, inputs }) => [group, inputs]));
    const phrases = { name: 'phrases', hash: phraseRows.hash(), size: '10 rows' };
    expect(identity.get('sources')).toContainEqual(phrases);
    expect(identity.get('tasks')?.map(({ name }) => name)).toEqual([
      ...['choice', 'choice: choice.jsonl'],
    ]);
    expect(lossParts([runCurves(events)]).map(({ label }) => label)).toEqual([
      ...['total', 'dataset (SFT)', 'context-free samples (CFS)', 'phrase book'],
    ]);
  });

  it('saves the weights that the method makes of the trained ones', () => {
    const { paths, config } = run;
    const trained = openSafetensors(join(paths.checkpoints, '12', 'tensors.safetensors'));
    const base = openSafetensors(join(config.model, 'model.safetensors'));
    const saved = openSafetensors(join(paths.model, 'model.safetensors'));
    for (const name of base.names()) {
      const [before, after] = [base.read(name), trained.read(`weight.${name}`)];
      expect(after).not.toEqual(before);
      const edited = before.map((value, i) => value + 0.5 * ((after[i] ?? NaN) - value));
      expect(saved.read(name)).toEqual(edited);
    }
  });

  it('stays nearer to the base model when it pulls', async () => {
    const base = openSafetensors(join(run.config.model, 'model.safetensors'));
    const driftOf = ({ paths }: RunFolder): number => {
      const trained = openSafetensors(join(paths.checkpoints, '12', 'tensors.safetensors'));
      return base.names().reduce((sum, name) => {
        const before = base.read(name);
        const after = trained.read(`weight.${name}`);
        return sum + after.reduce((own, value, i) => own + (value - (before[i] ?? NaN)) ** 2, 0);
      }, 0);
    };
    const pulled = await start({ focus: 0.2, keep: 0.5, pull: 1e6 });
    expect(driftOf(pulled)).toBeLessThan(0.5 * driftOf(run));
  });

  it('is in results, report and model card', () => {
    expect(readResults(run)?.method).toBe('made-up');
    const report = readFileSync(run.paths.report, 'utf8');
    expect(report).toContain('Made up');
    expect(report).toContain('phrase book');
    const card = readFileSync(join(run.paths.model, 'README.md'), 'utf8');
    expect(card).toContain('focus');
  });
});
