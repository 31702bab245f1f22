/**
 * Runs the tests that were imported before this file, on the provider that `CFS_TEST_PROVIDER` names,
 * and tells how each went. Argument: a pattern of the names to run, for trying it out.
 */
import { eventMark } from './record.js';
import { runTests } from './vitestShim.js';

/** They start a TypeScript program of their own; the placements are looked at by themselves here. */
const except = [/leaves no node to the CPU/, /smaller peak|peak of a process/];

let failed = 0;
let run = 0;
await runTests(
  (name, error) => {
    run++;
    if (error !== undefined) failed++;
    process.stdout.write(`${eventMark}${JSON.stringify({ event: 'test', name, error })}\n`);
  },
  except,
  new RegExp(process.argv[2] ?? ''),
);
process.exit(failed > 0 || run === 0 ? 1 : 0);
