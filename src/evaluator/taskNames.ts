/**
 * The names of a run's tasks. A task is its file; its name is for people, in results, curves and
 * reports, where everything about it goes by that name. So no two tasks of a run may share one,
 * whatever their files say.
 */
import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { CfsError } from '../errors.js';
import { loadTask, readDefinition, type Task } from './task.js';

/** The name under which the loss on held-out rows goes; no task has it. */
export const downstreamTask = 'downstream';

export interface TaskFile {
  file: string;
  /** Its own name, in its file. */
  own: string;
}

export interface NamedTask extends TaskFile {
  /** Its name in this run. */
  name: string;
}

/** The tasks of a run, read. Throws what `nameTaskFiles` and `loadTask` throw. */
export function loadTasks(files: readonly string[]): Task[] {
  return nameTaskFiles(files).map(({ file, name }) => loadTask(file, { task: name }));
}

/** The task files of a run with their names. Throws `TASK_INVALID` and `TASK_REPEATED`. */
export function nameTaskFiles(files: readonly string[]): NamedTask[] {
  const [repeated] = repeatedFiles(files);
  if (repeated !== undefined) throw repeated;
  return nameTasks(files.map((file) => ({ file, own: readDefinition(file).task })));
}

/**
 * Gives every task a name that no other has: its own where that is free, else with as much of its
 * path behind it as tells it apart, as in `facts (a/facts.yaml)`.
 */
export function nameTasks(tasks: readonly TaskFile[]): NamedTask[] {
  const isFree = ({ own, file }: TaskFile): boolean =>
    own !== downstreamTask && tasks.every((other) => other.file === file || other.own !== own);
  const taken = new Set([downstreamTask, ...tasks.map(({ own }) => own)]);
  return tasks.map((task) => {
    if (isFree(task)) return { ...task, name: task.own };
    const rivals = tasks.filter(({ file, own }) => own === task.own && file !== task.file);
    const name = freeName(task.own, distinctEnds(task, rivals), taken);
    taken.add(name);
    return { ...task, name };
  });
}

/** `TASK_REPEATED` for each file that stands in the list before, also by another path. */
export function repeatedFiles(files: readonly string[]): CfsError[] {
  const first = new Map<string, number>();
  return files.flatMap((file, index) => {
    const real = realPath(file);
    const before = first.get(real);
    if (before === undefined) {
      first.set(real, index);
      return [];
    }
    return [
      new CfsError({
        code: 'TASK_REPEATED',
        message: `This task file is already listed as evaluation.tasks[${before}]: ${real}.`,
        remedy: 'List each task file once.',
        place: { field: `evaluation.tasks[${index}]` },
      }),
    ];
  });
}

/** The ends of a task's path that none of its rivals' paths has, the shortest first. */
function distinctEnds({ file }: TaskFile, rivals: readonly TaskFile[]): string[] {
  const parts = partsOf(file);
  const others = rivals.map((rival) => partsOf(rival.file));
  return parts
    .map((_, i) => parts.slice(-1 - i).join('/'))
    .filter((end, i) => others.every((other) => other.slice(-1 - i).join('/') !== end));
}

function freeName(name: string, ends: readonly string[], taken: ReadonlySet<string>): string {
  const names = ends.map((end) => `${name} (${end})`);
  const free = names.find((candidate) => !taken.has(candidate));
  return free ?? freeName(names.at(-1) ?? name, ends, taken);
}

function partsOf(file: string): string[] {
  return resolve(file).split(/[\\/]/);
}

/** A file that is not there is found out when it is read. */
function realPath(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return resolve(file);
  }
}
