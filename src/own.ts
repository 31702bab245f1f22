/**
 * Lookups by names that come from outside. `record[name]` also finds what every object inherits
 * (`constructor`, `toString`) and `record['__proto__'] = x` changes what it inherits, so the lint
 * rule `cfs/outside-names` allows neither; this is what to write instead, where it is not a Map.
 */

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
