/** Finding methods by the names that `run.yaml` and records use. */
import { methods } from './list.js';
import type { Method } from './method.js';

export { methods };
export type { Method, MethodSettings } from './method.js';

export const methodNames: readonly string[] = methods.map(({ name }) => name);

/** Undefined for a method of another version. */
export function methodOf(name: string): Method | undefined {
  return methods.find((method) => method.name === name);
}

/** What people see; the name itself for a method of another version. */
export function methodLabel(name: string): string {
  return methodOf(name)?.label ?? name;
}
