/**
 * The tasks of a run, read and asked before it runs, so that nothing about a task file is found out
 * after hours. What does not change (a file, its data, the model) is not asked again: the preview
 * process checks whenever a setting moves.
 */
import { attempt, attemptAsync, CfsError } from '../errors.js';
import { blankModel } from '../evaluator/blankModel.js';
import { evaluateTask } from '../evaluator/evaluate.js';
import { loadTask, readDefinition, taskFiles } from '../evaluator/task.js';
import { nameTasks, repeatedFiles, type NamedTask } from '../evaluator/taskNames.js';
import type { RunConfig } from '../runs/configSchema.js';
import { createCache } from './cache.js';
import { requestsOf } from './estimate/requests.js';
import type { Finding } from './finding.js';
import type { Model } from './model.js';
import { fileStamp } from './stamp.js';
import type { Requests } from './work.js';

export interface TaskChecks {
  findings: Finding[];
  /** The tasks whose files can be read. */
  tasks: NamedTask[];
  /** What each task asks of the model; empty without one, and of tasks with errors. */
  requests: Requests[];
}

export interface TaskCheckRequest {
  config: RunConfig;
  /** Absent where it cannot be opened: the tasks' texts are checked all the same. */
  model: Model | undefined;
  /** Equal for equal models. */
  modelKey: string;
  /** Makes the texts of every item, which takes seconds for the largest tasks; else of some. */
  thorough: boolean;
}

const keptTasks = 32;

export function createTaskChecks(): (request: TaskCheckRequest) => Promise<TaskChecks> {
  const asked = createCache<Requests | undefined>();

  const ask = (
    { file, name }: NamedTask,
    { config: { seed }, model, modelKey, thorough }: TaskCheckRequest,
  ): Promise<Requests | undefined> => {
    const stamps = [file, ...taskFiles(readDefinition(file), file)].map(fileStamp);
    const key = JSON.stringify([name, stamps, model && modelKey, thorough, seed]);
    return asked.get(key, async () => {
      const task = loadTask(file, { task: name });
      if (thorough || !model) await evaluateTask(task, blankModel);
      return model && requestsOf(task, model, seed);
    });
  };

  return async (request) => {
    const files = request.config.evaluation.tasks;
    const findings: Finding[] = repeatedFiles(files).map((problem) => ({
      severity: 'error',
      field: problem.place.field ?? 'evaluation.tasks',
      problem,
    }));
    const repeated = new Set(findings.map(({ field }) => field));
    const fieldOf = (file: string): string => `evaluation.tasks[${files.indexOf(file)}]`;
    const tellOf = (file: string) => (problem: CfsError) =>
      void findings.push({
        severity: 'error',
        field: fieldOf(file),
        problem: inFile(problem, file),
      });
    const once = files.filter((_, i) => !repeated.has(`evaluation.tasks[${i}]`));
    const tasks = nameTasks(
      once.flatMap((file) => {
        const definition = attempt(() => readDefinition(file), tellOf(file));
        return definition ? [{ file, own: definition.task }] : [];
      }),
    );
    const requests: Requests[] = [];
    for (const task of tasks) {
      const found = await attemptAsync(() => ask(task, request), tellOf(task.file));
      if (found) requests.push(found);
    }
    asked.trim(keptTasks);
    return { findings, tasks, requests };
  };
}

/** What asking throws knows the item and the field, not the file. */
function inFile(problem: CfsError, file: string): CfsError {
  const { code, message, remedy, place } = problem;
  if (place.file !== undefined) return problem;
  return new CfsError({ code, message, remedy, place: { file, ...place }, cause: problem });
}
