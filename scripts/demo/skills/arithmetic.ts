/**
 * Arithmetic: sums up to 50 and their subtractions, one per line. Both operations together have
 * about 2,600 problems; one in ten is held out, so a right answer there is computed, not remembered.
 * Without spaces every token of a line is a digit or a sign, the easiest form for a small model.
 */
import type { Random } from '../../../src/random.js';
import { between, drawDistinct, drawUntil, isHeldOut, shuffle } from '../draw.js';
import type { Skill, TaskRow } from './skill.js';

const MAX = 50;
const HELD_OUT_PARTS = 10;
const TASK_ROWS = 120;

interface Problem {
  left: number;
  operator: '+' | '-';
  right: number;
  result: number;
}

export const arithmetic: Skill = {
  name: 'arithmetic',
  weight: 5,
  document: (random) => {
    const lines = Array.from({ length: between(7, 12, random) }, () => {
      const problem = drawUntil(
        () => drawProblem(random),
        (drawn) => !isHeldOut(keyOf(drawn), HELD_OUT_PARTS),
      );
      return `${question(problem)}${problem.result}`;
    });
    return lines.join('\n');
  },
  task: {
    name: 'arithmetic',
    fields: {
      kind: 'multiple_choice',
      doc_to_text: '{{problem}}',
      doc_to_choice: 'choices',
      doc_to_target: 'answer',
      target_delimiter: '',
      metrics: ['acc'],
    },
    rows: (random) => {
      const draw = () =>
        drawUntil(
          () => drawProblem(random),
          (drawn) => isHeldOut(keyOf(drawn), HELD_OUT_PARTS),
        );
      return drawDistinct(TASK_ROWS, draw, keyOf).map((problem) => taskRow(problem, random));
    },
  },
  fingerprint: (row) => {
    const choices = row.choices as string[];
    return `${row.problem as string}${choices[row.answer as number]}`;
  },
};

/** Half of the problems have a one-digit operand, so that small ones are met often enough. */
function drawProblem(random: Random): Problem {
  const small = random.below(2) === 0;
  const right = between(0, small ? 9 : MAX, random);
  const rest = between(0, MAX - right, random);
  return random.below(2) === 0
    ? { left: rest, operator: '+', right, result: rest + right }
    : { left: rest + right, operator: '-', right, result: rest };
}

/** `a + b` and `b + a` are one item: knowing the one would give the other away. */
function keyOf({ left, operator, right }: Problem): string {
  if (operator === '-') return `${left}-${right}`;
  return `${Math.min(left, right)}+${Math.max(left, right)}`;
}

function question({ left, operator, right }: Problem): string {
  return `${left}${operator}${right}=`;
}

/** The wrong choices are near misses: one off, ten off, and a slip of both digits. */
function taskRow(problem: Problem, random: Random): TaskRow {
  const offsets = [1, -1, 2, -2, 10, -10, 11, -11];
  const near = shuffle(offsets, random)
    .map((offset) => problem.result + offset)
    .filter((value) => value >= 0 && value <= MAX)
    .slice(0, 3);
  const choices = shuffle([problem.result, ...near], random);
  return {
    problem: question(problem),
    choices: choices.map(String),
    answer: choices.indexOf(problem.result),
  };
}
