/**
 * `run.yaml` as a form: the schema that a page draws its fields from, and the check of what was
 * typed into them. Both come from the schema that checks the file, so that what the page can do, the
 * file can do.
 */
import { z } from 'zod';
import type { FieldProblem } from '../protocol/panel.js';
import { checkFields, fieldName } from './configCheck.js';
import { runConfigSchema } from './configSchema.js';
import type { RunConfig } from './configSchema.js';

/** The JSON Schema of `run.yaml` with the hints of `src/protocol/form.ts`; sources as a list. */
export function configFormSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(runConfigSchema, { io: 'output' }) };
}

/** Checks the values of a form; paths are taken as they are, so they must be absolute. */
export function checkConfigData(
  values: unknown,
): { config: RunConfig } | { problems: FieldProblem[] } {
  const check = checkFields(values);
  if ('config' in check) return check;
  return {
    problems: check.problems.map(({ path, short }) => ({
      field: fieldName(path),
      message: short,
    })),
  };
}
