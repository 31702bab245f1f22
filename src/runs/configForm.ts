/**
 * `run.yaml` as a form: the schema that a page draws its fields from, and the check of what was
 * typed into them. Both come from the schema that checks the file, so that what the page can do, the
 * file can do.
 */
import { z } from 'zod';
import { assert } from '../errors.js';
import { methods } from '../methods/index.js';
import type { FieldProblem } from '../protocol/panel.js';
import { checkFields, fieldName } from './configCheck.js';
import { runConfigSchema } from './configSchema.js';
import type { RunConfig } from './configSchema.js';
import { isRecord, valueAt, withValue, type Values } from './fields.js';

/**
 * The JSON Schema of `run.yaml` with the hints of `src/protocol/form.ts`; sources as a list. What
 * only some methods use says which: fields and sections that a method names, and its own section.
 */
export function configFormSchema(): Record<string, unknown> {
  let schema: Values = { ...z.toJSONSchema(runConfigSchema, { io: 'output' }) };
  for (const [field, names] of fieldUsers()) {
    const node = `properties.${field.replaceAll('.', '.properties.')}`;
    assert(isRecord(valueAt(schema, node)), `run.yaml has the field ${field} of a method`);
    schema = withValue(schema, `${node}.methods`, names);
  }
  return schema;
}

/**
 * Checks the values of a form; paths are taken as they are, so they must be absolute. What the form
 * does not show, because the method does not use it, is left at its default.
 */
export function checkConfigData(
  values: Values,
): { config: RunConfig } | { problems: FieldProblem[] } {
  const check = checkFields(usedValues(values));
  if ('config' in check) return check;
  return {
    problems: check.problems.map(({ path, short }) => ({
      field: fieldName(path),
      message: short,
    })),
  };
}

/** The methods that use a field or a section, for those that not all do. */
function fieldUsers(): Map<string, string[]> {
  const users = new Map<string, string[]>();
  for (const { name, settings } of methods) {
    for (const field of [...settings.uses, ...(settings.own ? [name] : [])]) {
      users.set(field, [...(users.get(field) ?? []), name]);
    }
  }
  return users;
}

/** `values` without what their method does not use; all of them where there is no such method. */
function usedValues(values: Values): Values {
  const wanted = values.method ?? runConfigSchema.shape.method.parse(undefined);
  const method = methods.find(({ name }) => name === wanted);
  if (method === undefined) return values;
  const unused = [...fieldUsers()].filter(([, names]) => !names.includes(method.name));
  return unused.reduce((kept, [field]) => {
    return valueAt(kept, field) === undefined ? kept : withValue(kept, field, undefined);
  }, values);
}
