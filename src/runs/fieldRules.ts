/** What the fields of `run.yaml` say of themselves, asked by their dotted names. */
import { z } from 'zod';
import { own } from '../own.js';
import { fieldHintsSchema, type FieldHints } from '../protocol/form.js';
import { shapeOf } from './configCheck.js';
import { runConfigSchema } from './configSchema.js';

/** Until when a field may change once a run has started. */
export type ChangeRule = NonNullable<FieldHints['mayChange']> | 'never';

/** The rule in words, for those who read a file; nothing of fields that may not change. */
export const changeWords: Record<ChangeRule, string> = {
  always: 'May be changed whenever the run is stopped.',
  'until-training': 'May be changed until training begins.',
  never: '',
};

/** `never` for a field that this version does not know. */
export function changeRule(field: string): ChangeRule {
  return hintsOf(field)?.mayChange ?? 'never';
}

/** What a resumed run does otherwise once a field has changed; undefined where there is nothing to say. */
export function whenChanged(field: string): string | undefined {
  return hintsOf(field)?.whenChanged;
}

/** Whether a field holds paths. */
export function isPathField(field: string): boolean {
  return hintsOf(field)?.pick !== undefined;
}

function hintsOf(field: string): FieldHints | undefined {
  let schema: z.core.$ZodType | undefined = runConfigSchema;
  for (const key of field.split('.')) {
    schema = own(shapeOf(schema), key);
    if (schema === undefined) return undefined;
  }
  return fieldHintsSchema.safeParse(z.globalRegistry.get(schema)).data;
}
