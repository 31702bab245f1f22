/**
 * Asks a model a task's questions and scores the answers. A task becomes requests, the model
 * answers, each metric takes its measure of every item; nothing here knows how a model works.
 */
import { CfsError, assert, defined } from '../errors.js';
import { metrics, type MetricName } from '../protocol/metrics.js';
import type { Document } from './documents.js';
import { applyFilter, isExactMatch } from './filters.js';
import type { LanguageModel, LoglikelihoodRequest } from './languageModel.js';
import { measureOf } from './metrics.js';
import type { Answers, ItemResult, MetricResult } from './results.js';
import { estimate } from './statistics.js';
import type { Task, TaskItem } from './task.js';
import type { TaskKind } from './taskKinds.js';
import type { FilterDefinition, MetricChoice, TaskDefinition } from './taskSchema.js';
import { renderChoiceIndex, renderList, renderText } from './template.js';

/**
 * One result per metric (and per filter), in the order of the task file; the first is the task's
 * headline. Throws `TASK_TEMPLATE_FAILED` when a template does not fit an item, and what the model
 * throws.
 */
export async function evaluateTask(task: Task, model: LanguageModel): Promise<MetricResult[]> {
  switch (task.definition.kind) {
    case 'multiple_choice':
      return resultsOf(task, 'multiple_choice', await answerChoices(task, model));
    case 'loglikelihood':
      return resultsOf(task, 'loglikelihood', await answerLoglikelihood(task, model));
    case 'loglikelihood_rolling':
      return resultsOf(task, 'loglikelihood_rolling', await answerRolling(task, model));
    case 'generate_until':
      return answerGeneration(task, model);
  }
}

/** The prompt of an item: description, few-shot examples with their answers, the item's own text. */
export function contextOf(task: Task, document: Document): string {
  const { definition } = task;
  return prefixOf(task, document) + textField(definition, 'doc_to_text', document);
}

async function answerChoices(
  task: Task,
  model: LanguageModel,
): Promise<Answers['multiple_choice'][]> {
  const questions = task.items.map((item) =>
    within(item, () => choiceQuestion(task, item.document)),
  );
  const answers = await model.loglikelihood(questions.flatMap(({ requests }) => requests));
  let next = 0;
  return questions.map(({ requests, characters, gold }) => {
    const own = answers.slice(next, (next += requests.length));
    assert(own.length === requests.length, 'one answer per choice');
    return { logprobs: own.map(({ logprob }) => logprob), characters, gold };
  });
}

interface ChoiceQuestion {
  requests: LoglikelihoodRequest[];
  characters: number[];
  gold: number;
}

function choiceQuestion(task: Task, document: Document): ChoiceQuestion {
  const { definition } = task;
  const choices = choicesOf(definition, document);
  const delimiter = definition.target_delimiter;
  const contexts = choiceContexts(task, document, choices.length);
  return {
    requests: choices.map((choice, i) => ({
      context: defined(contexts[i], 'context'),
      continuation: delimiter + choice,
    })),
    characters: choices.map((choice) => {
      // A choice that brings its own leading space has it in the delimiter's place.
      const bare = delimiter === '' && choice.startsWith(' ') ? choice.slice(1) : choice;
      return [...bare].length;
    }),
    gold: renderChoiceIndex(definition.doc_to_target, document, choices, 'doc_to_target'),
  };
}

/** What precedes each choice; the same text for all, unless the task says otherwise. */
export function choiceContexts(task: Task, document: Document, count: number): string[] {
  const template = task.definition.per_choice_context;
  if (template === undefined) return new Array<string>(count).fill(contextOf(task, document));
  const prefix = prefixOf(task, document);
  const contexts = renderList(template, document, 'per_choice_context');
  if (contexts.length === count) return contexts.map((context) => prefix + context);
  throw new CfsError({
    code: 'TASK_TEMPLATE_FAILED',
    message: `per_choice_context gives ${contexts.length} contexts for ${count} choices.`,
    remedy: 'Write one context per choice.',
    place: { field: 'per_choice_context' },
  });
}

async function answerLoglikelihood(
  task: Task,
  model: LanguageModel,
): Promise<Answers['loglikelihood'][]> {
  const { definition } = task;
  const requests = task.items.map((item) =>
    within(item, () => ({
      context: contextOf(task, item.document),
      continuation: definition.target_delimiter + targetText(definition, item.document),
    })),
  );
  return model.loglikelihood(requests);
}

async function answerRolling(
  task: Task,
  model: LanguageModel,
): Promise<Answers['loglikelihood_rolling'][]> {
  const texts = task.items.map((item) =>
    within(item, () => {
      const text = targetText(task.definition, item.document);
      if (text.trim() === '') throw emptyText();
      return text;
    }),
  );
  const answers = await model.loglikelihoodRolling(texts);
  const encoder = new TextEncoder();
  return texts.map((text, i) => ({
    ...defined(answers[i], 'answer'),
    words: text.split(/\s+/).length,
    bytes: encoder.encode(text).length,
  }));
}

const noFilter: FilterDefinition = { name: '', steps: [] };

async function answerGeneration(task: Task, model: LanguageModel): Promise<MetricResult[]> {
  const { definition } = task;
  const { until, max_tokens } = definition.generation ?? { until: [], max_tokens: 256 };
  const targets = task.items.map((item) =>
    within(item, () => targetText(definition, item.document)),
  );
  const texts = await model.generateUntil(
    task.items.map((item) => ({
      context: within(item, () => contextOf(task, item.document)),
      until,
      maxTokens: max_tokens,
    })),
  );
  const filters = definition.filters.length === 0 ? [noFilter] : definition.filters;
  return definition.metrics.flatMap((choice) =>
    filters.map((filter) => {
      const answers = texts.map((generated, i) => {
        const target = defined(targets[i], 'target');
        const filtered = applyFilter(filter.steps, generated);
        return {
          generated,
          filtered,
          target,
          equal: isExactMatch(choice.ignore, filtered, target),
        };
      });
      return resultOf(task, 'generate_until', choice.metric, answers, filter);
    }),
  );
}

function resultsOf<Kind extends TaskKind>(
  task: Task,
  kind: Kind,
  answers: Answers[Kind][],
): MetricResult[] {
  return task.definition.metrics.map(({ metric }: MetricChoice) =>
    resultOf(task, kind, metric, answers),
  );
}

function resultOf<Kind extends TaskKind>(
  task: Task,
  kind: Kind,
  metric: MetricName,
  answers: Answers[Kind][],
  filter = noFilter,
): MetricResult {
  const { unit, higherIsBetter } = metrics[metric];
  const take = measureOf(metric, kind);
  assert(answers.length === task.items.length, 'one answer per item');
  const items = task.items.map(({ id }, i): ItemResult => {
    const answer = defined(answers[i], 'answer');
    const { value, weight } = take(answer);
    return { id, value, weight, ...(unit === 'fraction' && { correct: value === 1 }), answer };
  });
  return {
    task: task.definition.task,
    metric,
    ...(filter.name !== '' && { filter: filter.name }),
    unit,
    higherIsBetter,
    ...estimate(items, unit),
    n: items.length,
    items,
  };
}

/** What precedes the item's own text. An example equal to the item itself is skipped. */
function prefixOf(task: Task, document: Document): string {
  const { definition, examples } = task;
  const description =
    definition.description === '' ? '' : textField(definition, 'description', document);
  const own = JSON.stringify(document);
  const shown = examples
    .filter((example) => JSON.stringify(example) !== own)
    .slice(0, definition.num_fewshot);
  assertEnough(definition, shown.length);
  return [description, ...shown.map((example) => exampleText(definition, example))].join('');
}

function exampleText(definition: TaskDefinition, example: Document): string {
  const question = textField(definition, 'doc_to_text', example);
  return (
    question +
    definition.target_delimiter +
    solution(definition, example) +
    definition.fewshot_delimiter
  );
}

function solution(definition: TaskDefinition, example: Document): string {
  if (definition.kind !== 'multiple_choice') return targetText(definition, example);
  const choices = choicesOf(definition, example);
  const index = renderChoiceIndex(definition.doc_to_target, example, choices, 'doc_to_target');
  return defined(choices[index], 'choice');
}

export function choicesOf({ doc_to_choice }: TaskDefinition, document: Document): string[] {
  const choices = defined(doc_to_choice, 'doc_to_choice');
  return Array.isArray(choices) ? choices : renderList(choices, document, 'doc_to_choice');
}

export function targetText({ doc_to_target }: TaskDefinition, document: Document): string {
  return renderText(String(doc_to_target), document, 'doc_to_target');
}

function textField(
  definition: TaskDefinition,
  field: 'doc_to_text' | 'description',
  document: Document,
): string {
  return definition[field] === '' ? '' : renderText(definition[field], document, field);
}

function assertEnough({ task, num_fewshot }: TaskDefinition, found: number): void {
  if (found >= num_fewshot) return;
  throw new CfsError({
    code: 'TASK_DATA_INVALID',
    message: `The task "${task}" wants ${num_fewshot} few-shot examples; its file has ${found}.`,
    remedy: 'Give a longer few-shot file or lower num_fewshot.',
    place: { field: 'fewshot' },
  });
}

function emptyText(): CfsError {
  return new CfsError({
    code: 'TASK_DATA_INVALID',
    message: 'There is no text to score.',
    remedy: 'Leave empty texts out of the data.',
    place: { field: 'doc_to_target' },
  });
}

/** Says which item a template failed on. */
function within<T>(item: TaskItem, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    const { code, message, remedy, place } = error;
    throw new CfsError({
      code,
      message: `Item ${item.id}: ${message}`,
      remedy,
      place,
      cause: error,
    });
  }
}
