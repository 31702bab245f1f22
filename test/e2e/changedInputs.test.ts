/**
 * A run is what its folder says: whatever it was made from is changed while it is stopped, and the
 * terminal refuses to resume it, says what differs, and changes nothing; what may change is listed.
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { runJob } from '../../src/engine/job.js';
import type { Until } from '../../src/protocol/engine.js';
import { eventsOf } from '../../src/protocol/history.js';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun, findRun, readEvents } from '../../src/runs/runFolder.js';
import { writeSealed } from '../../src/sealed.js';
import { buildPrograms, start, type Ended } from '../support/build.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const { cli } = buildPrograms();
/** A run that was stopped after its first checkpoint, and one that only has its samples. */
let training: string;
let sampled: string;

beforeAll(async () => {
  training = await stopped('end');
  sampled = await stopped('samples');
});

async function stopped(until: Until, fields = {}): Promise<string> {
  const workspace = writeWorkspace(temporaryFolder(), { name: until, ...fields });
  const run = createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
  const controller = new AbortController();
  const onEvent = ({ type }: { type: string }): void => {
    if (type === 'checkpoint') controller.abort();
  };
  await runJob({ run, resume: false, until, signal: controller.signal, onEvent });
  return workspace;
}

/** The folder of the only run. */
function runOf(workspace: string): string {
  const parent = join(workspace, '.cfs', 'runs');
  return join(parent, readdirSync(parent)[0] ?? '');
}

/** A copy in which `change` was made, and its resumption in a terminal. */
async function resumeChanged(
  workspace: string,
  change: (folder: string, run: string) => void,
): Promise<Ended & { run: string; before: string; folder: string }> {
  const folder = temporaryFolder();
  cpSync(workspace, folder, { recursive: true });
  const run = runOf(folder);
  change(folder, run);
  const before = workOf(run);
  const ended = await start(cli, ['resume', run, '-C', folder], folder).ended;
  return { ...ended, run, before, folder };
}

/** A hash over what a run has come to: everything but its log and where that ends. */
function workOf(run: string): string {
  const hash = createHash('sha256');
  const files = readdirSync(run, { recursive: true, encoding: 'utf8' }).sort();
  for (const name of files.filter((one) => !['events.jsonl', 'logs.json'].includes(one))) {
    const file = join(run, name);
    hash.update(`${name}\n`);
    if (statSync(file).isFile()) hash.update(readFileSync(file));
  }
  return hash.digest('hex');
}

const edit = (file: string, from: string | RegExp, to: string): void => {
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(from, to);
  expect(changed).not.toBe(text);
  writeFileSync(file, changed);
};

const changes: [string, (folder: string, run: string) => void, RegExp][] = [
  [
    'a word of the dataset',
    (folder) => edit(join(folder, 'dataset.jsonl'), 'the boat', 'the ship'),
    /: dataset \(\/\S+\/dataset\.jsonl\): was 40 rows \(SHA-256 \w{8}…\), is now 40 rows/,
  ],
  [
    'the order of the dataset',
    (folder) => {
      const file = join(folder, 'dataset.jsonl');
      const [first = '', ...rest] = readFileSync(file, 'utf8').trimEnd().split('\n');
      writeFileSync(file, `${[...rest, first].join('\n')}\n`);
    },
    /dataset \(.*\): was 40 rows .* is now 40 rows/,
  ],
  [
    'the held-out rows',
    (folder) => edit(join(folder, 'heldout.jsonl'), /\n.*\n$/, '\n'),
    /held-out rows \(\/\S+\/heldout\.jsonl\): was 12 rows .* is now 11 rows/,
  ],
  [
    'the base weights',
    (folder) => {
      const file = join(folder, 'model', 'model.safetensors');
      const bytes = readFileSync(file);
      bytes.writeFloatLE(0.25, bytes.length - 4);
      writeFileSync(file, bytes);
    },
    /: model file model\.safetensors \(\/\S+\/model\/model\.safetensors\): was SHA-256 \w{8}…, is now SHA-256/,
  ],
  [
    'the configuration of the model',
    (folder) =>
      edit(join(folder, 'model', 'config.json'), /"rms_norm_eps": ?[^,}]+/, '"rms_norm_eps":1e-3'),
    /model file config\.json \(/,
  ],
  [
    'the tokenizer',
    (folder) => appendFileSync(join(folder, 'model', 'tokenizer.json'), '\n'),
    /model file tokenizer\.json \(/,
  ],
  [
    'the items of a task',
    (folder) => edit(join(folder, 'tasks', 'choice.jsonl'), '0+1=', '0 + 1 ='),
    /: choice\.jsonl of the task choice \(\/\S+\/tasks\/choice\.jsonl\): was/,
  ],
  [
    'the definition of a task',
    (folder) => edit(join(folder, 'tasks', 'choice.yaml'), 'metrics: [acc]', 'metrics: [acc_norm]'),
    /: task choice \(\/\S+\/tasks\/choice\.yaml\): was/,
  ],
  [
    'the learning rate and lambda',
    (_, run) => {
      edit(join(run, 'run.yaml'), /learningRate: .*/, 'learningRate: 0.03');
      edit(join(run, 'run.yaml'), /lambda: .*/, 'lambda: 2');
    },
    /\n {2}- mix\.lambda: training began with 1, is now 2\n {2}- training\.learningRate: training began with 0\.003, is now 0\.03\n/,
  ],
];

it.each(changes)('refuses to resume after %s changed', async (_, change, said) => {
  const { code, err, run, before } = await resumeChanged(training, change);
  expect(code).toBe(1);
  expect(err).toContain('RUN_CHANGED: This run was made with something else:');
  expect(err).toMatch(said);
  expect(err).toMatch(
    /→ Restore what it was and resume, or start a new run, from step 0, with `cfs-studio run /,
  );
  expect(workOf(run)).toBe(before);
});

/** What the lines of a refusal begin with. */
function refusedParts(err: string): string[] {
  return [...err.matchAll(/^ {2}- (.+?)(?: \(\/|:| is now)/gm)].map(([, what]) => what ?? '');
}

it('names everything that changed in one refusal, before anything is written', async () => {
  const { err, out, run, before } = await resumeChanged(training, (folder, path) => {
    // So longer rows are cut, which is no change of the dataset itself.
    edit(join(path, 'run.yaml'), /maxLength: 512/, 'maxLength: 10');
    edit(join(path, 'run.yaml'), /learningRate: .*/, 'learningRate: 0.03');
    edit(join(path, 'run.yaml'), /name: end/, 'name: other');
    edit(join(path, 'run.yaml'), /steps: 12/, 'steps: 3');
    for (const [what, change] of changes) {
      if (/^the (base weights|items of a task|held-out rows)$/.test(what)) change(folder, path);
    }
  });
  expect(refusedParts(err)).toEqual([
    'training.learningRate',
    'training.maxLength',
    'training.steps',
    'model file model.safetensors',
    'held-out rows',
    'choice.jsonl of the task choice',
  ]);
  expect(out).not.toContain('computing on');
  expect(workOf(run)).toBe(before);
});

it('names all files that changed where the settings agree', async () => {
  const { err, run, before } = await resumeChanged(training, (folder, path) => {
    edit(join(path, 'run.yaml'), /name: end/, 'name: other');
    for (const [what, change] of changes)
      if (!what.startsWith('the learning')) change(folder, path);
    edit(join(path, 'checkpoints', '4', 'state.json'), '"skipped": 0', '"skipped": 1');
  });
  expect(refusedParts(err)).toEqual([
    'model file model.safetensors',
    'model file config.json',
    'model file tokenizer.json',
    'dataset',
    'held-out rows',
    'task choice',
    'choice.jsonl of the task choice',
  ]);
  // A setting that may change is noted, and a damaged checkpoint put aside, by a run that goes on.
  expect(workOf(run)).toBe(before);
});

it('says which dataset cannot be read beside the settings that changed', async () => {
  const { err } = await resumeChanged(training, (folder, path) => {
    edit(join(path, 'run.yaml'), /seed: 5/, 'seed: 6');
    appendFileSync(join(folder, 'dataset.jsonl'), '{\n');
  });
  expect(err).toContain('\n  - seed: was 5, is now 6\n');
  expect(err).toMatch(
    /\n {2}- dataset \(\S+dataset\.jsonl:41\S*\): was 40 rows \(.*\), cannot be read now \(DATASET_INVALID\)\n/,
  );
});

it('notices before training as well, and writes nothing from the other model', async () => {
  const [change] = changes.filter(([what]) => what === 'the base weights').map((row) => row[1]);
  const { err, run, before } = await resumeChanged(sampled, (folder, path) => {
    change?.(folder, path);
    // Nothing else says so before the first checkpoint.
    edit(join(path, 'samples.jsonl'), /\n.*\n$/, '\n');
    rmSync(join(path, 'logs.json'));
  });
  expect(err).toContain('RUN_CHANGED: ');
  expect(refusedParts(err)).toEqual(['model file model.safetensors', 'samples']);
  expect(err).toMatch(/samples \(\/\S+\/samples\.jsonl\): was 12 samples .* is now 11 samples/);
  expect(workOf(run)).toBe(before);
  expect(existsSync(join(run, 'base.json'))).toBe(false);
});

it('refuses checkpoints of which nothing says what they were made from', async () => {
  const { err } = await resumeChanged(training, (_, run) => {
    for (const name of readdirSync(run).filter((one) => /json/.test(one))) rmSync(join(run, name));
    // As it was written before checkpoints said where the logs ended.
    const state = join(run, 'checkpoints', '4', 'state.json');
    const text = readFileSync(state, 'utf8');
    const { seal, logs, ...content } = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
    expect(seal).toHaveLength(64);
    expect(logs).toBeDefined();
    writeSealed(state, content);
  });
  expect(err).toContain('RECORD_BROKEN: ');
  expect(err).toContain('identity.json');
});

it('takes other settings of training while only the samples are there', async () => {
  const { code, out, err } = await resumeChanged(sampled, (folder, run) => {
    edit(join(run, 'run.yaml'), /learningRate: .*/, 'learningRate: 0.002');
    edit(join(folder, 'tasks', 'choice.jsonl'), '0+1=', '0 + 1 =');
  });
  expect(code, err).toBe(0);
  expect(out + err).toContain('training.learningRate: was 0.003, is now 0.002');
  expect(out + err).toContain('these may change while a run is stopped.\n');
});

it('refuses fewer steps than the run has taken', async () => {
  const { err } = await resumeChanged(training, (_, run) => {
    edit(join(run, 'run.yaml'), /steps: 12/, 'steps: 3');
  });
  expect(err).toContain(
    'RUN_CHANGED: This run was made with something else: training.steps is now 3, but the run has already taken 4 steps.',
  );
});

it('refuses fewer epochs than the run has taken, once the mix is known', async () => {
  const { err } = await resumeChanged(training, (_, run) => {
    edit(join(run, 'run.yaml'), /( +)steps: 12\n/, '');
    edit(join(run, 'run.yaml'), /epochs: 1\n/, 'epochs: 0.1\n');
  });
  expect(err).toMatch(
    /RUN_CHANGED: The run has already taken 4 steps; run\.yaml now asks for 1 in all/,
  );
});

it('refuses a checkpoint of another run', async () => {
  const other = await stopped('end', { mix: { lambda: 0.5 } });
  const { err } = await resumeChanged(training, (_, run) => {
    rmSync(join(run, 'checkpoints'), { recursive: true });
    cpSync(join(runOf(other), 'checkpoints'), join(run, 'checkpoints'), { recursive: true });
  });
  expect(err).toContain('CHECKPOINT_OTHER_RUN: ');
});

it('lists what may change, and goes on', async () => {
  const { code, out, err, run, folder } = await resumeChanged(training, (_, path) => {
    edit(join(path, 'run.yaml'), /steps: 12/, 'steps: 14');
    edit(join(path, 'run.yaml'), /name: end/, 'name: longer');
  });
  expect(code, err).toBe(0);
  expect(out + err).toContain(
    '\nnote SETTINGS_CHANGED: This run is resumed with other settings. name: was "end", is now "longer"; training.steps: was 12, is now 14.',
  );
  expect(out + err).toContain(
    'stopped. From here on, the learning rate follows the new number of steps.\n',
  );
  const events = readEvents(findRun(folder, run));
  expect(eventsOf(events, 'warning')).toContainEqual(
    expect.objectContaining({ code: 'SETTINGS_CHANGED', level: 'note' }),
  );
  const steps = eventsOf(events, 'train_step');
  expect(steps.at(-1)?.step).toBe(14);
});
