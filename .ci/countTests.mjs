// Reads Vitest's JSON report: fails when a test was skipped that CI must run, and prints the count.
import console from 'node:console';
import { readFileSync } from 'node:fs';
import process from 'node:process';

/** Tests that may be skipped, and why; everything else has what it needs where CI runs. */
const allowed = [
  /transformers|Python|PyTorch/i, // needs a Python environment, which CI does not install
  /not as root/, // root may write everywhere; a read-only disk is tested beside it
  /where the system allows networks/, // counts what native libraries do; a container may refuse it
  /on WebGPU/, // run by `npm run test:webgpu`, the next part of CI
];

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const tests = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults.map((test) => ({ ...test, file: name })),
);
const count = (status) => tests.filter((test) => test.status === status).length;
const skipped = tests.filter(({ status }) => status !== 'passed' && status !== 'failed');
const refused = skipped.filter(({ fullName }) => !allowed.some((rule) => rule.test(fullName)));
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
for (const { fullName } of refused) console.error(`CI must not skip: ${fullName}`);
console.log(`${count('passed')} passed, ${count('failed')} failed, ${skipped.length} skipped`);
process.exit(refused.length > 0 || count('passed') === 0 ? 1 : 0);
