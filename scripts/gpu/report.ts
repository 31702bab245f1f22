/**
 * `npm run gpu:report -- FILE [--write]`: what a GPU check found, as a table; with `--write` also as
 * `bench/results/gpu.md` and `.json`, in the form of the other results.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { formatTable } from '../../src/cli/table.js';
import { writeResult } from '../../bench/support/report.js';
import { recordSchema } from './record.js';
import { factsOf, notesOf, tableOf } from './reportTable.js';

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { write: { type: 'boolean', default: false } },
});
const [file] = positionals;
if (file === undefined) throw new Error('Name the gpu.json of a check.');
const record = recordSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
const rows = tableOf(record);
console.log(formatTable(rows, [2, 3, 4, 5, 6, 7, 8]));
for (const note of notesOf(record)) console.log(note);
if (flags.write) {
  await writeResult('gpu', {
    title: 'WebGPU on a GPU, beside the CPU and PyTorch',
    command: 'bash scripts/gpu/check.sh PACK --out DIR` and `npm run gpu:report -- FILE --write',
    facts: factsOf(record),
    rows,
    notes: notesOf(record),
    numbers: { record },
  });
}
