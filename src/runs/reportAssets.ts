/**
 * The files that are inlined into a report: Chart.js, our page script and our style. From the
 * sources they are read from disk; `scripts/build.mjs` replaces this module by one that holds their
 * text, so that the bundle needs no files beside it.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const chartFolder = dirname(createRequire(import.meta.url).resolve('chart.js'));

export const chartScript = readFileSync(join(chartFolder, 'chart.umd.min.js'), 'utf8');
export const pageScript = readFileSync(join(here, 'reportPage.js'), 'utf8');
export const pageStyle = readFileSync(join(here, 'reportPage.css'), 'utf8');
