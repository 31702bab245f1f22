/**
 * Whole jobs on a tiny model, from its folder to the fine-tuned one: what is on disk afterwards,
 * that the same seed gives the same bytes, and that a job stopped in any phase goes on to them.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openModel } from '../../src/engine/model.js';
import { runJob } from '../../src/engine/job.js';
import { CfsError, defined } from '../../src/errors.js';
import { openSafetensors } from '../../src/model/safetensors.js';
import type { Until } from '../../src/protocol/engine.js';
import { eventsOf, trueHistory } from '../../src/protocol/history.js';
import type { RunEvent } from '../../src/protocol/records.js';
import { readRunConfig } from '../../src/runs/config.js';
import {
  createRun,
  readEvents,
  readHeldOutSamples,
  readResults,
  readSamples,
  runState,
  type RunFolder,
} from '../../src/runs/runFolder.js';
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
    for (const { loss, sftLoss, cfsLoss } of steps) {
      expect(loss).toBeCloseTo(defined(sftLoss, 'sft') + defined(cfsLoss, 'cfs'), 4);
    }
    expect(defined(steps.at(-1)?.loss, 'loss')).toBeLessThan(defined(steps[0]?.loss, 'loss'));
    // Before, on the way, after; the subset's curve begins at the base and reaches the end.
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
    expect([...readHeldOutSamples(run)]).toHaveLength(6);

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
      'items.jsonl',
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
    for (const { loss, sftLoss, cfsLoss } of eventsOf(events, 'train_step')) {
      expect(cfsLoss).toBeNull();
      expect(loss).toBeCloseTo(defined(sftLoss, 'sft'), 4);
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
      heldOut: readFileSync(run.paths.heldOutSamples, 'utf8'),
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
    'an evaluation on the way': (event) => event.type === 'evaluation' && event.step === 6,
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

  it('goes on from an older checkpoint where the newest is damaged', async () => {
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
