/**
 * What can be known before a run: `validate` says all of it at once, and `run` refuses it before the
 * first sample, with nothing left behind. And tasks whose files give them the same name, from the
 * run to the report.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { checkRunCommand, type ValidateData } from '../../src/engine/commands.js';
import { runJob } from '../../src/engine/job.js';
import { CfsError, defined } from '../../src/errors.js';
import { readRunConfig } from '../../src/runs/config.js';
import {
  createRun,
  listRuns,
  openRun,
  readEvents,
  readItems,
  readResults,
  readSamples,
  runState,
} from '../../src/runs/runFolder.js';
import { start } from '../support/build.js';
import {
  jsonLines,
  pairs,
  temporaryFolder,
  writeRunYaml,
  writeWorkspace,
} from '../support/tinyModel.js';

const cli = join(inject('bundles'), 'cli.js');
const sound = writeWorkspace(temporaryFolder());

/** A copy of a sound workspace with other settings. */
function copy(fields: Record<string, unknown> = {}): string {
  const folder = temporaryFolder();
  cpSync(sound, folder, { recursive: true });
  return writeRunYaml(folder, fields);
}

async function validate(folder: string): Promise<{ code: number | null; data: ValidateData }> {
  const args = ['validate', 'run.yaml', '--json'];
  const { code, out, err } = await start(cli, args, folder).ended;
  expect(err).toBe('');
  return { code, data: JSON.parse(out) as ValidateData };
}

/** What each finding is about. */
function summaries({ findings }: ValidateData): string[][] {
  return findings.map(({ severity, field, error }) => [severity, field, error.code]);
}

function edit(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'latin1')), 'latin1');
}

/** Of a tensor: I32 takes as many bytes as F32. */
function changeType(folder: string, tensor: string): void {
  edit(join(folder, 'model', 'model.safetensors'), (text) =>
    text.replace(`"${tensor}":{"dtype":"F32"`, `"${tensor}":{"dtype":"I32"`),
  );
}

const norm = 'model.norm.weight';

interface Case {
  fields?: Record<string, unknown>;
  break?: (folder: string) => void;
  code: string;
  field: string;
  message: RegExp;
}

const cases: Record<string, Case> = {
  'a task file that is not there': {
    fields: { evaluation: { tasks: ['tasks/choice.yaml', 'tasks/none.yaml'] } },
    code: 'TASK_INVALID',
    field: 'evaluation.tasks[1]',
    message: /task file: there is no such file or folder\.$/,
  },
  'a task file listed twice': {
    fields: { evaluation: { tasks: ['tasks/choice.yaml', 'tasks/../tasks/choice.yaml'] } },
    code: 'TASK_REPEATED',
    field: 'evaluation.tasks[1]',
    message: /evaluation\.tasks\[0\]/,
  },
  'data that a task lacks': {
    break: (folder) => rmSync(join(folder, 'tasks', 'text.jsonl')),
    code: 'TASK_DATA_INVALID',
    field: 'evaluation.tasks[1]',
    message: /there is no such file or folder/,
  },
  'the last item of a task without a field that its template names': {
    break: (folder) =>
      edit(join(folder, 'tasks', 'choice.jsonl'), (text) => text.replace('"q":"7+1="', '"p":"7"')),
    code: 'TASK_TEMPLATE_FAILED',
    field: 'evaluation.tasks[0]',
    message: /^Item 7: .*"q" is missing/,
  },
  'a task that writes more than fits into the context': {
    break: (folder) =>
      edit(join(folder, 'tasks', 'write.yaml'), (text) =>
        text.replace('max_tokens: 6', 'max_tokens: 96'),
      ),
    code: 'GENERATION_TOO_LONG',
    field: 'evaluation.tasks[2]',
    message: /96 tokens/,
  },
  'a tensor that cannot be read': {
    break: (folder) => changeType(folder, norm),
    code: 'TENSOR_DTYPE',
    field: 'model',
    message: /"model\.norm\.weight" is I32/,
  },
  'a license that is a link to nothing': {
    break: (folder) => symlinkSync('gone', join(folder, 'model', 'LICENSE')),
    code: 'MODEL_FILE_UNREADABLE',
    field: 'model',
    message: /LICENSE: there is no such file or folder/,
  },
  'a license outside of the model folder': {
    break: (folder) => symlinkSync('../run.yaml', join(folder, 'model', 'LICENSE.txt')),
    code: 'MODEL_PATH_OUTSIDE',
    field: 'model',
    message: /LICENSE\.txt/,
  },
  'a batch without room for both kinds of rows': {
    fields: { training: { batchRows: 1 } },
    code: 'BATCH_TOO_SMALL',
    field: 'training.batchRows',
    message: /one row/,
  },
  'more than the disk holds': {
    fields: { generation: { count: 2 ** 50 } },
    code: 'DISK_SHORT',
    field: 'training.keepCheckpoints',
    message: /Checkpoints, model and samples need/,
  },
};

describe('what is known to go wrong', () => {
  it.each(Object.entries(cases))('%s: refused before the first sample', async (_, wrong) => {
    const folder = copy(wrong.fields);
    wrong.break?.(folder);
    const run = createRun(folder, readRunConfig(join(folder, 'run.yaml')));
    const { signal } = new AbortController();
    const job = runJob({ run, resume: false, until: 'end', signal, onEvent: () => undefined });
    const error = await job.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CfsError);
    expect(error).toMatchObject({ code: wrong.code });
    expect((error as CfsError).message).toMatch(wrong.message);
    const written = readdirSync(run.folder).filter((name) => statSync(join(run.folder, name)).size);
    const ofStart = ['events.jsonl', 'identity.json', 'logs.json', 'run.yaml'];
    expect(written.filter((name) => !ofStart.includes(name))).toEqual([]);
    const types = new Set(readEvents(run).map(({ type }) => type));
    expect(types.has('sample_progress')).toBe(false);
    expect(types.has('run_failed')).toBe(true);
  });

  it('is all said at once by validate, each at its field, and leaves no run', async () => {
    const tasks = ['tasks/choice.yaml', 'tasks/none.yaml', 'tasks/choice.yaml', 'tasks/write.yaml'];
    const folder = copy({ evaluation: { tasks }, training: { batchRows: 1 } });
    for (const name of [
      'a license that is a link to nothing',
      'a task that writes more than fits into the context',
    ]) {
      cases[name]?.break?.(folder);
    }
    const { code, data } = await validate(folder);
    expect(code).toBe(1);
    expect(summaries(data)).toEqual([
      ['error', 'model', 'MODEL_FILE_UNREADABLE'],
      ['error', 'evaluation.tasks[2]', 'TASK_REPEATED'],
      ['error', 'evaluation.tasks[1]', 'TASK_INVALID'],
      ['error', 'evaluation.tasks[3]', 'GENERATION_TOO_LONG'],
      ['error', 'training.batchRows', 'BATCH_TOO_SMALL'],
    ]);
    expect(data.findings[3]?.error.place.file).toBe(join(folder, 'tasks', 'write.yaml'));
    const { code: ended, err } = await start(cli, ['run', 'run.yaml'], folder).ended;
    expect(ended).toBe(1);
    expect(err).toMatch(/^MODEL_FILE_UNREADABLE: .*\n {2}at .*LICENSE\n {2}→ .*\n$/);
    expect(listRuns(folder)).toEqual([]);
    expect(existsSync(join(folder, '.cfs'))).toBe(false);
  });

  it('is said of the model, the data and the tasks where the model cannot be opened', async () => {
    const folder = copy({ evaluation: { tasks: ['tasks/none.yaml'] } });
    changeType(folder, norm);
    changeType(folder, 'model.embed_tokens.weight');
    rmSync(join(folder, 'model', 'tokenizer.json'));
    edit(join(folder, 'dataset.jsonl'), (text) => text.replace('"prompt"', 'prompt'));
    const { code, data } = await validate(folder);
    expect(code).toBe(1);
    expect(data.findings.map(({ error }) => error.code)).toEqual([
      'TENSOR_DTYPE',
      'TOKENIZER_MISSING',
      'TASK_INVALID',
    ]);
    expect(data.findings[0]?.error.message).toContain('1 more tensor is like it');
    expect(data.dataset).toMatchObject({ rows: 40, errors: 1 });
    expect(data.bos).toBeUndefined();
  });

  it('leaves no run where it is only asked to end at samples that it has not', async () => {
    const folder = copy({ method: 'sft', evaluation: { klSamples: 0 } });
    const args = ['run', 'run.yaml', '--until', 'samples'];
    const { code, err } = await start(cli, args, folder).ended;
    expect([code, err.split(':')[0]]).toEqual([1, 'SAMPLES_NOT_WANTED']);
    expect(listRuns(folder)).toEqual([]);
  });
});

it('reads all weights for validate, which a run does as it loads them', async () => {
  const folder = copy();
  const file = join(folder, 'model', 'model.safetensors');
  const bytes = readFileSync(file);
  bytes.writeFloatLE(NaN, bytes.length - 4000);
  writeFileSync(file, bytes);
  const { code, data } = await validate(folder);
  expect(code).toBe(1);
  expect(summaries(data)).toContainEqual(['error', 'model', 'WEIGHTS_NOT_FINITE']);
});

it('prints what to add to run.yaml where columns do not show what they are', async () => {
  const folder = copy();
  const rows = pairs(40).map(({ prompt, completion }) => ({ 'the: query': prompt, completion }));
  writeFileSync(join(folder, 'dataset.jsonl'), jsonLines(rows));
  const { code, out } = await start(cli, ['validate', 'run.yaml'], folder).ended;
  expect(code).toBe(1);
  expect(out).toContain('0 of 40 rows can be used');
  const [, block = ''] = /are meant:\n((?: {2}.*\n)+)/.exec(out) ?? [];
  expect(block).toBe(
    '  dataset:\n' +
      '    - path: dataset.jsonl\n' +
      '      columns:\n' +
      '        prompt: "the: query"\n' +
      '        completion: completion\n',
  );
  writeRunYaml(folder, parse(block) as Record<string, unknown>);
  const { data } = await validate(folder);
  expect(data.dataset).toMatchObject({ rows: 40, kept: 40, errors: 0 });
});

it('reads the dataset once for a run that was checked', async () => {
  const folder = copy({});
  const config = readRunConfig(join(folder, 'run.yaml'));
  const checked = await checkRunCommand({ config, workspace: folder, until: 'samples' });
  const run = createRun(folder, config);
  rmSync(join(folder, 'dataset.jsonl'));
  const { signal } = new AbortController();
  const job = { run, resume: false, until: 'samples', checked, signal } as const;
  await runJob({ ...job, onEvent: () => undefined });
  expect(runState(run)).toBe('stopped');
});

describe('what is worth knowing', () => {
  it('is said by validate and stops nothing', async () => {
    const folder = copy({ generation: { count: undefined, budget: 0.01 } });
    const { code, data } = await validate(folder);
    expect(code).toBe(0);
    expect(summaries(data)).toEqual([
      ['warning', 'model', 'LICENSE_MISSING'],
      ['warning', 'generation.budget', 'BUDGET_SMALL'],
    ]);
    const { message, remedy } = defined(data.findings[1], 'finding').error;
    expect(message).toContain('for 40 dataset rows');
    expect(remedy).toContain('0.025 is enough for one sample');
    expect(message).toContain('1 sample will be generated');
    // The run says and does the same.
    expect(data.preview?.sources[1]?.rows).toBe(1);
    const args = ['run', 'run.yaml', '--until', 'samples'];
    const { code: ended, out } = await start(cli, args, folder).ended;
    expect(ended).toBe(0);
    for (const { error } of data.findings) {
      const line = `warning ${error.code}: ${error.message}\n  → ${error.remedy}\n`;
      expect(out.split(line)).toHaveLength(2);
    }
    expect([...readSamples(openRun(defined(listRuns(folder)[0], 'run').folder))]).toHaveLength(1);
  });
});

describe('tasks that share a name, or have that of the held-out rows', () => {
  it('keep apart from the run to the report', async () => {
    const tasks = ['a/facts.yaml', 'b/facts.yaml', 'mine.yaml'];
    const folder = copy({
      method: 'sft',
      training: { steps: 4 },
      evaluation: { tasks, klSamples: 0, every: 2, bestBy: 'tasks' },
    });
    // `a` is answered rightly always, `b` never: a mix-up of their scores cannot look right.
    const write = (path: string, name: string, answers: number[]): void => {
      const base = path.replace('.yaml', '');
      mkdirSync(join(folder, path, '..'), { recursive: true });
      writeFileSync(
        join(folder, path),
        `task: ${name}\nkind: multiple_choice\ndata: ${base.split('/').at(-1)}.jsonl\n` +
          'doc_to_text: "{{q}}"\ndoc_to_choice: choices\ndoc_to_target: answer\nmetrics: [acc]\n',
      );
      const items = answers.map((answer, i) => ({
        q: `${i}+1=`,
        choices: ['x', 'x and a good deal more'],
        answer,
      }));
      writeFileSync(join(folder, `${base}.jsonl`), jsonLines(items));
    };
    write('a/facts.yaml', 'facts', [0, 0, 0]);
    write('b/facts.yaml', 'facts', [1, 1, 1, 1]);
    write('mine.yaml', 'downstream', [0, 1]);

    const names = ['facts (a/facts.yaml)', 'facts (b/facts.yaml)', 'downstream (mine.yaml)'];
    const { out: said } = await start(cli, ['validate', 'run.yaml'], folder).ended;
    for (const [i, path] of tasks.entries()) {
      expect(said).toContain(
        `${join(folder, path)}: its task is called “${names[i]}” in this run\n`,
      );
    }
    const { code, err, out } = await start(cli, ['run', 'run.yaml'], folder).ended;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    for (const name of names) expect(out).toContain(name);

    const run = openRun(defined(listRuns(folder)[0], 'run').folder);
    const results = defined(readResults(run), 'results');
    expect(results.tasks.map(({ task, n, final }) => [task, n, final.score])).toEqual([
      [names[0], 3, 1],
      [names[1], 4, 0],
      [names[2], 2, 0.5],
    ]);
    expect(results.downstream).toMatchObject({ task: 'downstream', n: 12 });
    const items = [...readItems(run)].map(({ task }) => task);
    const counts = [3, 4, 2];
    expect(items).toEqual(names.flatMap((name, i) => Array<string>(counts[i] ?? 0).fill(name)));
    const events = readEvents(run);
    const measured = events.flatMap((event) => (event.type === 'evaluation' ? [event] : []));
    for (const { tasks: scores, downstream } of measured) {
      expect(scores.map(({ task }) => task)).toEqual(names);
      expect(downstream?.task).toBe('downstream');
    }
    const report = readFileSync(run.paths.report, 'utf8');
    for (const name of names) expect(report).toContain(name);
  });
});
