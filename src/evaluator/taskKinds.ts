/** The kinds of task: what is asked of the model about each item. */
export const taskKinds = [
  'multiple_choice',
  'loglikelihood',
  'loglikelihood_rolling',
  'generate_until',
] as const;

export type TaskKind = (typeof taskKinds)[number];
