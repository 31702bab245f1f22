/**
 * Items in words: what a model was shown, what would have been right, and what the base model and
 * the fine-tuned one answered. Scores say how much was forgotten; these say what.
 */
import { assert, defined } from '../errors.js';
import type { ItemRecord } from '../protocol/records.js';
import { choiceContexts, choicesOf, contextOf, targetText } from './evaluate.js';
import { pairItems } from './compare.js';
import { chosenChoice } from './metrics.js';
import type {
  ChoiceAnswer,
  GeneratedAnswer,
  ItemResult,
  LoglikelihoodAnswer,
  MetricResult,
} from './results.js';
import type { Task, TaskItem } from './task.js';
import { renderChoiceIndex } from './template.js';

/** Longest prompt, in characters; what comes right before the answer says most. */
const longestPrompt = 2000;

/** The items that both results of one accuracy have. */
export function* describeItems(
  task: Task,
  base: MetricResult,
  final: MetricResult,
): Generator<ItemRecord> {
  const { metric } = final;
  const items = new Map(task.items.map((item) => [item.id, item]));
  for (const [before, after] of pairItems(base.items, final.items)) {
    const item = defined(items.get(after.id), `item ${after.id}`);
    const { prompt, expected, say } = questionOf(task, item, metric);
    const answered = (result: ItemResult): ItemRecord['base'] => ({
      correct: result.correct === true,
      answer: say(result),
    });
    yield {
      task: task.definition.task,
      metric,
      id: after.id,
      prompt: cutFront(prompt),
      expected,
      base: answered(before),
      final: answered(after),
    };
  }
}

interface Question {
  prompt: string;
  expected: string;
  /** A model's answer in words. */
  say: (result: ItemResult) => string;
}

function questionOf(task: Task, { document }: TaskItem, metric: MetricResult['metric']): Question {
  const { definition } = task;
  const { kind } = definition;
  assert(kind !== 'loglikelihood_rolling', 'a text as a whole has no right answer');
  if (kind === 'multiple_choice') {
    const choices = choicesOf(definition, document);
    const contexts = choiceContexts(task, document, choices.length);
    const prompt = sharedStart(contexts);
    const texts = choices.map((choice, i) => {
      const own = defined(contexts[i], 'context').slice(prompt.length);
      return `${own}${own === '' ? '' : definition.target_delimiter}${choice}`.trim();
    });
    const textOf = (index: number): string => defined(texts[index], `choice ${index}`);
    return {
      prompt,
      expected: textOf(
        renderChoiceIndex(definition.doc_to_target, document, choices, 'doc_to_target'),
      ),
      say: ({ answer }) => textOf(chosenChoice(metric, answer as ChoiceAnswer)),
    };
  }
  const prompt = contextOf(task, document);
  const expected = targetText(definition, document).trim();
  return {
    prompt,
    expected,
    say: ({ answer, correct }) => {
      if (kind === 'generate_until') return (answer as GeneratedAnswer).generated.trim();
      return correct === true ? expected : doubt(expected, answer as LoglikelihoodAnswer);
    },
  };
}

/** Scoring a text tells how likely it was, not what would have come instead. */
function doubt(expected: string, { logprob }: LoglikelihoodAnswer): string {
  const percent = 100 * Math.exp(logprob);
  const shown = percent < 0.01 ? 'less than 0.01' : String(Number(percent.toPrecision(2)));
  return `Not “${expected}”: the model gave it a probability of ${shown} %.`;
}

/** What all texts begin with, up to the end of a word. */
function sharedStart(texts: readonly string[]): string {
  const [first = '', ...others] = texts;
  if (others.every((text) => text === first)) return first;
  let end = 0;
  while (end < first.length && others.every((text) => text[end] === first[end])) end++;
  return first.slice(0, first.slice(0, end).search(/\S*$/));
}

function cutFront(prompt: string): string {
  const characters = Array.from(prompt);
  if (characters.length <= longestPrompt) return prompt;
  return `…${characters.slice(1 - longestPrompt).join('')}`;
}
