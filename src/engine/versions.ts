/** Versions of what a run's numbers depend on. */
import manifest from '../../package.json' with { type: 'json' };
import { runtimeVersion } from '../runtime/index.js';

export function versions(): Record<string, string> {
  return {
    'cfs-studio': manifest.version,
    onnxruntime: runtimeVersion(),
    node: process.versions.node,
  };
}
