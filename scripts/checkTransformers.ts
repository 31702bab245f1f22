/**
 * `npm run check:transformers -- MODEL_FOLDER…`: whether `transformers` loads models that we saved
 * and gives our token ids and logits. Exits 1 when it does not; without Python it is skipped.
 */
import { isSkipped } from '../bench/peers/lineProcess.js';
import { findPython } from '../bench/peers/python.js';
import { CfsError, formatError } from '../src/errors.js';
import {
  checkTransformers,
  faultsOf,
  logitTolerance,
  neededPackages,
} from './transformers/check.js';

async function main(folders: readonly string[]): Promise<number> {
  if (folders.length === 0) {
    console.error('usage: npm run check:transformers -- MODEL_FOLDER…');
    return 2;
  }
  const python = findPython(neededPackages);
  if (isSkipped(python)) {
    console.log(`skipped: ${python.skipped}`);
    return 0;
  }
  let failed = 0;
  for (const folder of folders) {
    const report = await checkTransformers(folder, python);
    const faults = faultsOf(report);
    const versions = Object.entries(report.versions).map((entry) => entry.join(' '));
    console.log(`${folder} in ${versions.join(', ')}`);
    console.log(
      `  worst difference of ${report.logits} logits: ${report.worst.toExponential(1)} ` +
        `(allowed ${logitTolerance.toExponential(1)})`,
    );
    faults.forEach((fault) => console.log(`  FAIL ${fault}`));
    if (faults.length === 0) console.log('  the same keys, token ids and logits');
    failed += faults.length;
  }
  return failed > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof CfsError)) throw error;
  console.error(formatError(error));
  process.exitCode = 1;
}
