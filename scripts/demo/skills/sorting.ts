/**
 * Sorting: two to five words put into alphabetical order, several lines to a document. The held-out
 * items are whole sets of words: in training no order of such a set is ever asked for.
 */
import type { Random } from '../../../src/random.js';
import { between, drawDistinct, drawUntil, isHeldOut, pickSeveral, shuffle } from '../draw.js';
import { animals, colours, foods, nature, things } from '../words.js';
import type { Skill } from './skill.js';

const HELD_OUT_PARTS = 20;
const TASK_ROWS = 120;

export const sortableWords: readonly string[] = [
  ...animals,
  ...things,
  ...foods,
  ...colours,
  ...nature,
].sort();

export const sorting: Skill = {
  name: 'sorting',
  weight: 5,
  document: (random) => {
    const lines = Array.from({ length: between(5, 8, random) }, () => {
      const count = between(2, 5, random);
      const words = drawUntil(
        () => pickSeveral(sortableWords, count, random),
        (drawn) => !isHeldOut(keyOf(drawn), HELD_OUT_PARTS),
      );
      return `${question(words)} ${sorted(words)}`;
    });
    return lines.join('\n');
  },
  task: {
    name: 'sorting',
    fields: {
      kind: 'generate_until',
      doc_to_text: '{{problem}}',
      doc_to_target: '{{answer}}',
      metrics: ['exact_match'],
      filters: [{ name: 'strip', steps: [{ function: 'strip' }] }],
      generation: { until: ['\n'], max_tokens: 16 },
    },
    rows: (random) => {
      const draw = () =>
        drawUntil(
          () => pickSeveral(sortableWords, between(3, 4, random), random),
          (drawn) => isHeldOut(keyOf(drawn), HELD_OUT_PARTS) && sorted(drawn) !== drawn.join(' '),
        );
      return drawDistinct(TASK_ROWS, draw, keyOf).map((words) => ({
        problem: question(shuffledApart(words, random)),
        answer: sorted(words),
      }));
    },
  },
  fingerprint: (row) => `${row.problem as string} ${row.answer as string}`,
};

/** The words in an order that is not yet the right one: copying must not count as sorting. */
function shuffledApart(words: readonly string[], random: Random): string[] {
  return drawUntil(
    () => shuffle(words, random),
    (order) => order.join(' ') !== sorted(words),
  );
}

function sorted(words: readonly string[]): string {
  return [...words].sort().join(' ');
}

function keyOf(words: readonly string[]): string {
  return sorted(words);
}

function question(words: readonly string[]): string {
  return `sort: ${words.join(' ')} ->`;
}
