/**
 * `npm run parity -- [--provider cpu] FOLDER…`: compares Hugging Face oracle folders with ours and
 * exits 1 beyond the tolerances.
 */
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { providerNames, type ProviderName } from '../src/protocol/providers.js';
import { compareWithOracle } from './parity/compare.js';

const { values, positionals } = parseArgs({
  options: { provider: { type: 'string', default: 'cpu' } },
  allowPositionals: true,
});
const provider = providerNames.find((name) => name === values.provider) as ProviderName;
if (!provider || positionals.length === 0) {
  console.error('usage: npm run parity -- [--provider cpu|webgpu|…] FOLDER…');
  process.exit(2);
}

let failed = 0;
for (const folder of positionals) {
  console.log(`${basename(folder)} on ${provider}`);
  for (const { quantity, worst, tolerance, where } of await compareWithOracle(folder, provider)) {
    const ok = worst <= tolerance;
    failed += ok ? 0 : 1;
    const numbers = `${worst.toExponential(1)} (allowed ${tolerance.toExponential(1)})`;
    console.log(`  ${ok ? 'ok  ' : 'FAIL'} ${quantity.padEnd(44)} ${numbers}  ${where}`);
  }
}
if (failed > 0) console.error(`${failed} comparisons failed`);
process.exit(failed > 0 ? 1 : 0);
