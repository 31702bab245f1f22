/** The method of a run. */
import { defined } from '../errors.js';
import { methodOf, type Method, type MethodSettings } from '../methods/index.js';
import type { RunConfig } from '../runs/configSchema.js';
import { isRecord, valueAt } from '../runs/fields.js';

/** The method that a configuration chose, and what it sets for it. */
export function chosenMethod(config: RunConfig): { method: Method; settings: MethodSettings } {
  const method = defined(methodOf(config.method), `method ${config.method}`);
  const own = valueAt(config, method.name);
  return { method, settings: { lambda: config.mix.lambda, own: isRecord(own) ? own : {} } };
}
