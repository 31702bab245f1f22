/** No two tasks of a run share a name, whatever their files say. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadTasks, nameTaskFiles, nameTasks } from '../../../src/evaluator/taskNames.js';
import { expectError } from '../../support/expectError.js';
import { temporaryFolder } from '../../support/tinyModel.js';

/** The names of tasks given as `own name, file`. */
function namesOf(...tasks: [own: string, file: string][]): string[] {
  return nameTasks(tasks.map(([own, file]) => ({ own, file }))).map(({ name }) => name);
}

describe('the names of tasks', () => {
  it('are their own where no other task has them', () => {
    expect(namesOf(['facts', '/t/a.yaml'], ['sums', '/t/b.yaml'])).toEqual(['facts', 'sums']);
  });

  it('say the file where two are the same, as briefly as tells them apart', () => {
    expect(namesOf(['facts', '/t/old.yaml'], ['facts', '/t/new.yaml'])).toEqual([
      'facts (old.yaml)',
      'facts (new.yaml)',
    ]);
    expect(
      namesOf(['facts', '/t/a/facts.yaml'], ['sums', '/t/s.yaml'], ['facts', '/t/b/facts.yaml']),
    ).toEqual(['facts (a/facts.yaml)', 'sums', 'facts (b/facts.yaml)']);
    // One path is the end of the other.
    expect(namesOf(['facts', '/facts.yaml'], ['facts', '/a/facts.yaml'])).toEqual([
      'facts (/facts.yaml)',
      'facts (a/facts.yaml)',
    ]);
  });

  it('are never that of the loss on held-out rows', () => {
    expect(namesOf(['downstream', '/t/mine.yaml'])).toEqual(['downstream (mine.yaml)']);
  });

  it('differ from those that other tasks have of themselves', () => {
    const names = namesOf(
      ['facts', '/t/a/facts.yaml'],
      ['facts', '/t/b/facts.yaml'],
      ['facts (a/facts.yaml)', '/t/c.yaml'],
    );
    expect(names).toEqual([
      'facts (t/a/facts.yaml)',
      'facts (b/facts.yaml)',
      'facts (a/facts.yaml)',
    ]);
    const absurd = namesOf(['f', '/x'], ['f', '/y'], ['f (x)', '/1'], ['f (/x)', '/2']);
    expect(new Set(absurd).size).toBe(4);
  });
});

describe('task files', () => {
  const folder = temporaryFolder();
  const write = (path: string): string => {
    const file = join(folder, path, 'facts.yaml');
    mkdirSync(join(folder, path));
    writeFileSync(join(folder, path, 'facts.txt'), 'A text.\n');
    writeFileSync(
      file,
      'task: facts\nkind: loglikelihood_rolling\ndata: facts.txt\n' +
        'doc_to_target: text\nmetrics: [token_perplexity]\n',
    );
    return file;
  };
  const [a, b] = [write('a'), write('b')];

  it('are read under the names of their run', () => {
    const names = loadTasks([a, b]).map(({ definition }) => definition.task);
    expect(names).toEqual(['facts (a/facts.yaml)', 'facts (b/facts.yaml)']);
  });

  it.each([
    ['by the same path', a],
    ['by another spelling of the path', join(folder, 'b') + '/../a/./facts.yaml'],
    ['by a link', join(folder, 'link.yaml')],
  ])('are refused where one is listed twice %s', async (_, again) => {
    if (again.endsWith('link.yaml')) symlinkSync(a, again);
    const error = await expectError('TASK_REPEATED', () => nameTaskFiles([a, b, again]));
    expect(error.place).toEqual({ field: 'evaluation.tasks[2]' });
    expect(error.message).toContain('evaluation.tasks[0]');
  });
});
