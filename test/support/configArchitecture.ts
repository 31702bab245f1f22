/** The architecture of a config without a folder around it. */
import type { Architecture } from '../../src/model/architecture.js';
import { architectureOf } from '../../src/model/families/index.js';

/** Of a checkpoint that holds every tensor it is asked about. */
export function configArchitecture(config: Record<string, unknown>): Architecture {
  return architectureOf({ config, file: 'config.json', hasTensor: () => true });
}
