/** The values that settings of `run.yaml` may take, for the schema and for those who honour them. */

/** How dataset rows and samples are mixed. */
export const mixModes = ['per-batch', 'shuffled'] as const;
export type MixMode = (typeof mixModes)[number];

/** How the learning rate falls after the warm-up. */
export const scheduleNames = ['cosine', 'linear', 'constant'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** By what the checkpoint is chosen that is saved as the model. */
export const bestByNames = ['last', 'downstream', 'tasks', 'kl'] as const;
