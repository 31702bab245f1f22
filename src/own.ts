/**
 * Lookups by names that come from outside. `record[name]` also finds what every object inherits
 * (`constructor`, `toString`) and `record['__proto__'] = x` changes what it inherits, so the lint
 * rule `cfs/outside-names` allows neither; this is what to write instead, where it is not a Map.
 */
import { z } from 'zod';

/** What `record` itself holds under `name`. */
export function own<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  // eslint-disable-next-line cfs/outside-names -- looked at just before
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Gives `record` a value of its own under `name`, whatever the name is. */
export function setOwn<T>(record: Record<string, T>, name: string, value: NoInfer<T>): void {
  Object.defineProperty(record, name, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

const anyRecord = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);

/** Records with any names whose values are of `schema`; `z.record` leaves out one named `__proto__`. */
export function anyNames<T>(schema: z.ZodType<T>): z.ZodType<Record<string, T>> {
  return anyRecord.transform((record, context) => {
    const checked: Record<string, T> = {};
    for (const [name, value] of Object.entries(record)) {
      const parsed = schema.safeParse(value);
      if (parsed.success) setOwn(checked, name, parsed.data);
      for (const { message, path } of parsed.error?.issues ?? []) {
        context.addIssue({ code: 'custom', message, path: [name, ...path] });
      }
    }
    return checked;
  });
}
