/**
 * The fine-tuning methods by name, in one place: `run.yaml`, the forms and the report all read this
 * list. What a method does is the trainer's business (its objective), not this file's.
 */

export const methods = {
  sft: {
    label: 'Standard',
    about: 'Fine-tune on the dataset alone, with loss on the response tokens.',
  },
  cfs: {
    label: 'CFS',
    about:
      'Also train on context-free samples of the base model, with loss on every token ' +
      '(arXiv 2505.13811).',
  },
} as const;

export type Method = keyof typeof methods;

export const methodNames = ['sft', 'cfs'] as const satisfies readonly Method[];
