/**
 * The provider that numeric tests run on: the CPU, or the one named by `CFS_TEST_PROVIDER`, so that
 * the same tests prove WebGPU (`npm run test:webgpu`).
 */
import { providerNames, type ProviderName } from '../../src/protocol/providers.js';

const wanted = process.env.CFS_TEST_PROVIDER ?? 'cpu';
const known = providerNames.find((name) => name === wanted);
if (!known)
  throw new Error(`CFS_TEST_PROVIDER is ${wanted}, not one of ${providerNames.join(', ')}`);

export const testProvider: ProviderName = known;
