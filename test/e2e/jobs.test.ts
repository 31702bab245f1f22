/**
 * Whole jobs on a tiny model, from its folder to the fine-tuned one: what is on disk afterwards,
 * that the same seed gives the same bytes, and that a job stopped in any phase resumes to the same.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { validateCommand } from '../../src/engine/commands.js';
import { openModel } from '../../src/engine/model.js';
import { runJob } from '../../src/engine/job.js';
import { CfsError, defined } from '../../src/errors.js';
import { contextFreeRow } from '../../src/mixer/rows.js';
import { storeRows } from '../../src/mixer/rowStore.js';
import { openSafetensors } from '../../src/model/safetensors.js';
import type { Until } from '../../src/protocol/engine.js';
import { eventsOf, trueHistory } from '../../src/protocol/history.js';
import type { RunEvent } from '../../src/protocol/records.js';
import { readRunConfig } from '../../src/runs/config.js';
import { writeExclusions } from '../../src/runs/exclusions.js';
import {
  createRun,
  readEvents,
  readKlSamples,
  readItems,
  readResults,
  readSamples,
  runState,
  type RunFolder,
} from '../../src/runs/runFolder.js';
import { expectError } from '../support/expectError.js';
import { temporaryFolder, writeRunYaml, writeWorkspace } from '../support/tinyModel.js';

function newRun(workspace: string): RunFolder {
  return createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
}

async function job(
  run: RunFolder,
  resume = false,
  stopAt?: (event: RunEvent) => boolean,
  until: Until = 'end',
) {
  const controller = new AbortController();
  const events: RunEvent[] = [];
  await runJob({
    run,
    resume,
    until,
    signal: controller.signal,
    onEvent: (event) => {
      events.push(event);
      if (stopAt?.(event)) controller.abort();
    },
  });
  return events;
}

function modelHash(run: RunFolder): string {
  return createHash('sha256')
    .update(readFileSync(join(run.paths.model, 'model.safetensors')))
    .digest('hex');
}

/** Rows and tokens of both kinds, as the checkpoint of step 12 knows them. */
function trainedOn(run: RunFolder): unknown {
  const text = readFileSync(join(run.paths.checkpoints, '12', 'state.json'), 'utf8');
  const { state } = JSON.parse(text) as { state: { cursor: { of: unknown } } };
  return state.cursor.of;
}

describe('a whole job', () => {
  it('cfs: leaves events, samples, results, a report and a model that opens', async () => {
    const run = newRun(writeWorkspace(temporaryFolder()));
    const seen = await job(run);
    const events = readEvents(run);
    expect(events).toEqual(seen);
    expect(runState(run)).toBe('finished');

    const types = events.map(({ type }) => type);
    const firsts = ['run_started', 'bos_found', 'sample_progress', 'evaluation', 'train_step'].map(
      (type) => types.indexOf(type as RunEvent['type']),
    );
    expect(firsts.every((at) => at >= 0)).toBe(true);
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    expect(types.at(-1)).toBe('run_finished');
    const steps = eventsOf(events, 'train_step');
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    for (const { loss, losses } of steps) {
      expect(loss).toBeCloseTo(defined(losses.dataset, 'sft') + defined(losses.cfs, 'cfs'), 4);
    }
    expect(defined(steps.at(-1)?.loss, 'loss')).toBeLessThan(defined(steps[0]?.loss, 'loss'));
    // Before, during and after training; the subset's curve begins at the base and reaches the end.
    const evaluations = eventsOf(events, 'evaluation');
    expect(evaluations.map(({ step, kind }) => [step, kind])).toEqual([
      [0, 'subset'],
      [0, 'full'],
      [6, 'subset'],
      [12, 'subset'],
      [12, 'full'],
    ]);
    expect(evaluations[0]?.tasks.map(({ change }) => change)).toEqual(
      evaluations[0]?.tasks.map(() => 0),
    );
    expect(eventsOf(events, 'checkpoint').map(({ step }) => step)).toEqual([4, 8, 12]);
    expect(readdirSync(run.paths.checkpoints).toSorted()).toEqual(['12', '8']);

    const samples = [...readSamples(run)];
    expect(samples.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 12 }, (_, i) => i),
    );
    expect([...readKlSamples(run)]).toHaveLength(6);

    const results = defined(readResults(run), 'results');
    expect(results).toMatchObject({ method: 'cfs', steps: 12, savedStep: 12, provider: 'cpu' });
    expect(results.tasks.map(({ task }) => task)).toEqual(['choice', 'text', 'write']);
    expect(results.downstream?.n).toBe(12);
    expect(defined(results.downstream?.change, 'change')).toBeLessThan(0);
    expect(results.kl).toMatchObject({ samples: 6 });
    expect(readFileSync(run.paths.report, 'utf8')).toContain('<!doctype html>');

    const model = openModel(run.paths.model);
    const trained = openSafetensors(join(run.paths.checkpoints, '12', 'tensors.safetensors'));
    for (const { name } of model.architecture.parameters) {
      expect(model.folder.tensors.read(name)).toEqual(trained.read(`weight.${name}`));
    }
    expect(readdirSync(run.folder).toSorted()).toEqual([
      'base.json',
      'checkpoints',
      'events.jsonl',
      'held-out-samples.jsonl',
      'identity.json',
      'items.jsonl',
      'logs.json',
      'model',
      'report.html',
      'results.json',
      'run.yaml',
      'samples.jsonl',
    ]);
  });

  it('sft: trains on the dataset alone', async () => {
    const run = newRun(writeWorkspace(temporaryFolder(), { method: 'sft' }));
    const events = await job(run);
    expect([...readSamples(run)]).toEqual([]);
    for (const { loss, losses } of eventsOf(events, 'train_step')) {
      expect(Object.keys(losses)).toEqual(['dataset']);
      expect(loss).toBeCloseTo(defined(losses.dataset, 'sft'), 4);
    }
    expect(readResults(run)).toMatchObject({ method: 'sft', steps: 12 });
  });

  it('saves the best checkpoint where one is asked for', async () => {
    // So high a rate that the loss on held-out rows rises again.
    const fields = {
      training: { learningRate: 0.1, schedule: 'constant', checkpointEvery: 3, steps: 9 },
      evaluation: { every: 3, bestBy: 'downstream', subset: 12 },
    };
    const run = newRun(writeWorkspace(temporaryFolder(), fields));
    const events = await job(run);
    const measured = eventsOf(events, 'evaluation').filter(({ kind }) => kind === 'subset');
    const loss = ({ downstream }: (typeof measured)[number]) =>
      defined(downstream?.score, 'held-out loss');
    const best = measured.toSorted((a, b) => loss(a) - loss(b))[0];
    const results = defined(readResults(run), 'results');
    expect(best?.step).toBeLessThan(9);
    expect(results.savedStep).toBe(best?.step);
    expect(results.downstream?.final.score).toBeCloseTo(loss(defined(best, 'best')), 6);
    const kept = openSafetensors(
      join(run.paths.checkpoints, String(best?.step), 'tensors.safetensors'),
    );
    const { tensors } = openModel(run.paths.model).folder;
    const name = 'model.embed_tokens.weight';
    expect(tensors.read(name)).toEqual(kept.read(`weight.${name}`));
  });

  it('gives the same bytes for the same seed, and others for another', async () => {
    const workspace = writeWorkspace(temporaryFolder());
    const runs = [newRun(workspace), newRun(workspace)];
    for (const run of runs) await job(run);
    const [first, second] = runs.map((run) => ({
      model: modelHash(run),
      samples: readFileSync(run.paths.samples, 'utf8'),
      heldOut: readFileSync(run.paths.klSamples, 'utf8'),
    }));
    expect(second).toEqual(first);
    const other = newRun(writeRunYaml(workspace, { seed: 6 }));
    await job(other);
    expect(modelHash(other)).not.toBe(first?.model);
    expect(readFileSync(other.paths.samples, 'utf8')).not.toBe(first?.samples);
  });
});

describe('a job that is stopped and resumed', () => {
  /** One moment in each phase. */
  const moments: Record<string, (event: RunEvent) => boolean> = {
    loading: ({ type }) => type === 'phase',
    'the samples': (event) => event.type === 'sample_progress' && event.samples === 5,
    'the held-out samples': (event) => event.type === 'sample_progress' && event.total === 6,
    'the first evaluation': (event) => event.type === 'phase' && event.phase === 'evaluating',
    training: (event) => event.type === 'train_step' && event.step === 5,
    'an evaluation during training': (event) => event.type === 'evaluation' && event.step === 6,
    'the last step': (event) => event.type === 'train_step' && event.step === 12,
  };
  const workspace = writeWorkspace(temporaryFolder());
  const whole = newRun(workspace);

  it.each(Object.entries(moments))('in %s ends as if never stopped', async (_, stopAt) => {
    if (!existsSync(whole.paths.results)) await job(whole);
    const run = newRun(workspace);
    let once = false;
    const first = await job(run, false, (event) => !once && (once = stopAt(event)));
    expect(once).toBe(true);
    if (first.at(-1)?.type !== 'run_finished') {
      expect(first.at(-1)?.type).toBe('run_stopped');
      expect(runState(run)).toBe('stopped');
      await job(run, true);
    }
    expect(runState(run)).toBe('finished');
    expect(modelHash(run)).toBe(modelHash(whole));
    const byIndex = (folder: RunFolder) =>
      [...readSamples(folder)].toSorted((a, b) => a.index - b.index);
    expect(byIndex(run)).toEqual(byIndex(whole));
    const losses = (folder: RunFolder) =>
      eventsOf(trueHistory(readEvents(folder)), 'train_step').map(({ step, loss }) => [step, loss]);
    expect(losses(run)).toEqual(losses(whole));
  });

  it('says at once how far training has come', async () => {
    const run = newRun(workspace);
    await job(run, false, (event) => event.type === 'train_step' && event.step === 5);
    const phases = eventsOf(await job(run, true), 'phase');
    expect(phases.find(({ phase }) => phase === 'training')).toMatchObject({ progress: 5 });
  });

  it('resumes from an older checkpoint where the newest is damaged', async () => {
    if (!existsSync(whole.paths.results)) await job(whole);
    const run = newRun(workspace);
    await job(run, false, (event) => event.type === 'train_step' && event.step === 9);
    const damaged = join(run.paths.checkpoints, '9', 'tensors.safetensors');
    const bytes = readFileSync(damaged);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    writeFileSync(damaged, bytes);
    const events = await job(run, true);
    expect(events.find(({ type }) => type === 'run_started')).toMatchObject({ step: 8 });
    expect(eventsOf(events, 'warning').map(({ code }) => code)).toEqual(['CHECKPOINT_DAMAGED']);
    expect(eventsOf(events, 'train_step')[0]?.step).toBe(9);
    expect(modelHash(run)).toBe(modelHash(whole));
  });

  it('saves the last weights where the best checkpoint is damaged', async () => {
    const evaluation = { every: 4, bestBy: 'kl', tasks: [] };
    const run = newRun(writeWorkspace(temporaryFolder(), { evaluation }));
    // KL grows from the first step on, so the first measured is the best.
    const isLast = (event: RunEvent): boolean => event.type === 'train_step' && event.step === 11;
    await job(run, false, isLast);
    writeFileSync(join(run.paths.checkpoints, '4', 'state.json'), '{');
    const events = await job(run, true);
    expect(eventsOf(events, 'warning').map(({ code }) => code)).toEqual(['CHECKPOINT_DAMAGED']);
    expect(readResults(run)).toMatchObject({ steps: 12, savedStep: 12 });
  });

  it('keeps base scores that are no numbers', async () => {
    const folder = writeWorkspace(temporaryFolder(), {
      evaluation: { tasks: ['tasks/one.yaml'], every: 0, klSamples: 1 },
      generation: { count: 1 },
    });
    // One item has no standard error.
    writeFileSync(join(folder, 'tasks', 'one.jsonl'), '{"text":"A tree."}\n');
    writeFileSync(
      join(folder, 'tasks', 'one.yaml'),
      'task: one\ndata: one.jsonl\nkind: loglikelihood_rolling\n' +
        'doc_to_target: "{{text}}"\nmetrics: [token_perplexity]\n',
    );
    const run = newRun(folder);
    await job(run, false, (event) => event.type === 'train_step');
    await job(run, true);
    expect(readResults(run)?.tasks).toMatchObject([{ task: 'one', n: 1, base: { stderr: null } }]);
  });

  it('refuses to begin again, and leaves the finished run as it was', async () => {
    if (!existsSync(whole.paths.results)) await job(whole);
    const before = readFileSync(whole.paths.events, 'utf8');
    const failure = await job(whole).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(CfsError);
    expect(failure).toMatchObject({ code: 'RUN_BEGUN' });
    expect(readFileSync(whole.paths.events, 'utf8')).toBe(before);
    expect(runState(whole)).toBe('finished');
  });
});

describe('samples that people excluded', () => {
  const workspace = writeWorkspace(temporaryFolder(), { evaluation: { every: 0, tasks: [] } });

  /** A run with its samples written and some of them excluded. */
  async function sampled(excluded: number[]): Promise<RunFolder> {
    const run = newRun(workspace);
    await job(run, false, undefined, 'samples');
    writeExclusions(run, excluded);
    return run;
  }

  it('are read between the samples and training, and left out of both', async () => {
    const run = newRun(workspace);
    const first = await job(run, false, undefined, 'samples');
    expect(first.at(-1)).toMatchObject({ type: 'run_stopped', step: 0 });
    expect(eventsOf(first, 'samples_judged')).toHaveLength(1);
    expect(eventsOf(first, 'samples_described')).toMatchObject([{ diagnostics: { samples: 12 } }]);
    expect(eventsOf(first, 'evaluation')).toEqual([]);
    expect([...readSamples(run)]).toHaveLength(12);
    expect([...readKlSamples(run)]).toHaveLength(6);

    const excluded = [0, 3, 4, 5, 7, 8, 9, 11];
    writeExclusions(run, excluded);
    const second = await job(run, true);
    expect(eventsOf(second, 'samples_chosen')).toMatchObject([{ excluded }]);
    expect(() => writeExclusions(run, [])).toThrow(
      expect.objectContaining({ code: 'SAMPLES_SETTLED' }) as Error,
    );
    const all = eventsOf(readEvents(run), 'samples_described');
    expect(all).toHaveLength(1);
    const left = [...readSamples(run)].filter(({ index }) => !excluded.includes(index));
    const tokens = left.reduce((sum, sample) => sum + sample.tokens.length, 0);
    expect(readResults(run)?.samples).toMatchObject({ samples: 4, tokens });
    expect(readFileSync(join(run.paths.model, 'README.md'), 'utf8')).toContain(
      '| context-free samples | 4 |',
    );
    // The BOS token of each is not part of its record.
    const rows = storeRows(left.map((sample) => contextFreeRow([sample.bosId, ...sample.tokens])));
    const cfs = { id: 'cfs', rows: left.length, hash: rows.hash() };
    expect(trainedOn(run)).toMatchObject({ sources: [{ id: 'dataset' }, cfs] });
  });

  it('stay what they were when training began, whatever the file says later', async () => {
    const whole = await sampled([1, 2]);
    await job(whole, true);
    const run = await sampled([1, 2]);
    await job(run, true, (event) => event.type === 'train_step' && event.step === 5);
    writeFileSync(run.paths.excluded, '{"excluded":[6]}');
    const resumed = await job(run, true, (event) => event.type === 'train_step');
    expect(eventsOf(resumed, 'warning')).toMatchObject([
      {
        code: 'EXCLUDED_IGNORED',
        message: expect.stringMatching(/excluded\.json, .* without samples 1, 2\.$/) as string,
      },
    ]);
    // Neither does it matter whether it is a list, and one that says the same is no matter.
    writeFileSync(run.paths.excluded, '{');
    const again = await job(run, true, (event) => event.type === 'train_step');
    expect(eventsOf(again, 'warning').map(({ code }) => code)).toEqual(['EXCLUDED_IGNORED']);
    writeFileSync(run.paths.excluded, '{ "excluded": [2, 1, 2] }');
    expect(eventsOf(await job(run, true), 'warning')).toEqual([]);
    expect(modelHash(run)).toBe(modelHash(whole));
    expect(eventsOf(readEvents(run), 'samples_chosen')).toMatchObject([{ excluded: [1, 2] }]);
    const other = await sampled([]);
    await job(other, true);
    expect(modelHash(other)).not.toBe(modelHash(whole));
  });

  it('must be samples of the run, which is said before anything is measured', async () => {
    const run = await sampled([1, 12, 40]);
    const { message, remedy, place } = await expectError('EXCLUDED_UNKNOWN', () => job(run, true));
    expect(message).toContain('has the numbers 12, 40; the samples of this run are 0 to 11.');
    expect(remedy).toContain(`cfs-studio resume ${run.id}`);
    expect(place.file).toBe(run.paths.excluded);
    expect(existsSync(run.paths.base)).toBe(false);
    writeExclusions(run, [1]);
    await job(run, true);
    expect(eventsOf(readEvents(run), 'samples_chosen')).toMatchObject([{ excluded: [1] }]);
  });

  it('cannot be all of them, which can be put right', async () => {
    const run = await sampled(Array.from({ length: 12 }, (_, i) => i));
    await expect(job(run, true)).rejects.toMatchObject({ code: 'SAMPLES_ALL_EXCLUDED' });
    expect(runState(run)).toBe('failed');
    writeExclusions(run, [0]);
    await job(run, true);
    expect(readResults(run)?.samples?.samples).toBe(11);
  });

  it('are not waited for where there are no samples', async () => {
    const folder = writeWorkspace(temporaryFolder(), {
      method: 'sft',
      evaluation: { klSamples: 0 },
    });
    const run = newRun(folder);
    await expect(job(run, false, undefined, 'samples')).rejects.toMatchObject({
      code: 'SAMPLES_NOT_WANTED',
    });
    expect(existsSync(run.paths.events)).toBe(false);
  });
});

describe('items', () => {
  it('say in words what was answered, and agree with the results', async () => {
    const run = newRun(writeWorkspace(temporaryFolder(), { evaluation: { every: 0 } }));
    // Resumed, so that the base model's answers come from the run folder.
    await job(run, false, (event) => event.type === 'train_step');
    await job(run, true);
    const items = [...readItems(run)];
    // `text` has no right answers.
    expect(items.map(({ task }) => task)).toEqual([
      ...Array<string>(8).fill('choice'),
      ...Array<string>(3).fill('write'),
    ]);
    const third = items[2];
    expect(third).toMatchObject({ metric: 'acc', id: '2', prompt: '2+1=', expected: '3' });
    expect(['2', '3', '4']).toContain(third?.base.answer);
    expect(items[8]).toMatchObject({ prompt: 'say tree:', expected: 'tree' });
    for (const { task, base, final, rightToWrong, n } of defined(readResults(run), 'r').tasks) {
      if (task === 'text') continue;
      const own = items.filter((item) => item.task === task);
      const right = (key: 'base' | 'final') => own.filter((item) => item[key].correct).length / n;
      expect([right('base'), right('final')]).toEqual([base.score, final.score]);
      const lost = own.filter((item) => item.base.correct && !item.final.correct);
      expect(lost).toHaveLength(defined(rightToWrong, 'rightToWrong'));
    }
  });
});

describe('rows held out of the dataset', () => {
  it('make the downstream score and are not trained on', async () => {
    const evaluation = { downstream: undefined, holdOut: 0.25, tasks: [], bestBy: 'downstream' };
    const run = newRun(writeWorkspace(temporaryFolder(), { method: 'sft', evaluation }));
    await job(run);
    const results = defined(readResults(run), 'results');
    expect(results.downstream?.n).toBe(10);
    expect(defined(results.downstream?.change, 'change')).toBeLessThan(0);
    expect(trainedOn(run)).toMatchObject({ sources: [{ id: 'dataset', rows: 30 }] });
    const { preview } = await validateCommand({ config: run.config });
    expect(preview?.sources[0]?.rows).toBe(30);
  });
});
