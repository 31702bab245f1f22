/**
 * A method that nobody needs, with everything that a method can have: the example of how one is
 * added. In the product its file would be `src/methods/madeUp.ts`, and the list `src/methods/list.ts`
 * would name it.
 */
import { z } from 'zod';
import type { Method } from '../../src/methods/index.js';
import { meanOfEachSource } from '../../src/methods/weights.js';

const own = z.strictObject({
  focus: z
    .number()
    .nonnegative()
    .default(0.5)
    .describe('How much more the unlikely tokens count.')
    .meta({ label: 'Focus', basic: true }),
  pull: z.number().nonnegative().default(0).describe('Strength of the pull to the base model.'),
  keep: z.number().min(0).max(1).default(0.75).describe('Share of the change that is kept.'),
});

export const madeUp: Method<typeof own> = {
  name: 'made-up',
  label: 'Made up',
  about: 'Train harder on unlikely tokens, then go back a little.',
  sources: ['context-free', 'phrase-book'],
  settings: { uses: ['generation.count', 'mix'], own },
  needsBase: true,
  // As CFS, with the first token of every row twice as heavy.
  targetWeights: (step, { lambda }) => {
    const weights = meanOfEachSource(step, { dataset: 1, cfs: lambda, phrases: 0.25 });
    let at = 0;
    for (const { supervised } of step.rows) {
      weights[at] = 2 * (weights[at] ?? 0);
      at += supervised.filter(Boolean).length;
    }
    return weights;
  },
  // focus · ½ nll²
  terms: (ops, g, nll, settings) =>
    ops.mul(g, ops.mul(g, nll, nll), g.scalar(settings.own.focus / 2, nll)),
  regularizer: ({ own: { pull } }) => ({ strength: pull }),
  edit: (base, trained, settings) =>
    base.map((value, i) => value + settings.own.keep * ((trained[i] ?? 0) - value)),
};
