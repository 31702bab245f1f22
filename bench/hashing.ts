/**
 * `npm run bench:hashing`: what it costs to know the inputs of a run by their content. A model of
 * `--gb` and a dataset of `--dataset-gb`; the time from the start of a job to the moment when it would write its
 * first sample, with the hashes of its files known and with all of them read again, by turns. Beside
 * it, the hashing alone compared with plain SHA-256.
 *
 *   npm run bench:hashing -- [--gb 1] [--dataset-gb 0.005] [--runs 2] [--write]
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { hashFiles } from '../src/engine/identity/hashFiles.js';
import { runJob } from '../src/engine/job.js';
import { defined } from '../src/errors.js';
import { writeFileAtomicFrom } from '../src/files.js';
import { createRandom } from '../src/random.js';
import { runConfigSchema } from '../src/runs/configSchema.js';
import { createRun } from '../src/runs/runFolder.js';
import { cacheFolder, copyTokenizer, missing, places, randomModel } from './support/places.js';
import { machineFacts, writeResult } from './support/report.js';

const { values: flags } = parseArgs({
  options: {
    gb: { type: 'string', default: '1' },
    'dataset-gb': { type: 'string', default: '0.005' },
    runs: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
  },
});
const gb = Number(flags.gb);

const absent = missing(places.stories15M);
if (absent) {
  console.log(`skipped: ${absent.skipped}`);
  process.exit();
}

const model = modelOf(gb);
const dataset = datasetOf(Number(flags['dataset-gb']));
const weights = join(model, 'model.safetensors');

const hashing = await compareHashing();
const starts: { known: number; verified: number }[] = [];
// The first fills the cache and the system's own; it is not counted.
await startJob(false);
for (let i = 0; i < Number(flags.runs); i++) {
  starts.push({ known: await startJob(false), verified: await startJob(true) });
  console.error(`start ${i + 1}: ${JSON.stringify(starts.at(-1))}`);
}

const seconds = (value: number): string => `${value.toFixed(2)} s`;
const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const known = mean(starts.map((one) => one.known));
const verified = mean(starts.map((one) => one.verified));
const rows = [
  ['what', 'time', 'ratio'],
  ['SHA-256 of the model, plain', seconds(hashing.plain), ''],
  ['the same beside other work', seconds(hashing.ours), (hashing.plain / hashing.ours).toFixed(2)],
  ['start of a job, hashes known', seconds(known), ''],
  ['start of a job, all files hashed', seconds(verified), (verified / known).toFixed(3)],
];
console.log(formatTable(rows, [1, 2]));
if (flags.write) {
  await writeResult('hashing', {
    title: 'What it costs to know the inputs of a run',
    facts: {
      ...machineFacts({}),
      model: `${(statSync(weights).size / 1e9).toFixed(2)} GB`,
      dataset: `${(statSync(dataset).size / 1e9).toFixed(2)} GB`,
    },
    rows,
    notes: [
      'The start of a job is the time until it would write its first sample: the model opened and copied to the device, the dataset read and tokenized, the hashes of rows and files compared.',
    ],
    numbers: { hashing, starts },
  });
}

/** A model of about so many GB with the tokenizer of stories15M. */
function modelOf(size: number): string {
  const [width, inner, vocabulary] = [1024, 2816, 32000];
  const perLayer = 4 * width * width + 3 * width * inner;
  const layers = Math.max(1, Math.round(((size * 1e9) / 4 - vocabulary * width) / perLayer));
  const folder = randomModel(`start-${size}GB`, {
    hidden_size: width,
    intermediate_size: inner,
    num_hidden_layers: layers,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    vocab_size: vocabulary,
    tie_word_embeddings: true,
  });
  copyTokenizer(folder);
  return folder;
}

/** Tickets of random common words, as JSON lines. */
function datasetOf(size: number): string {
  const file = join(cacheFolder, `start-${size}GB.jsonl`);
  if (existsSync(file)) return file;
  const words = 'the a boat ticket lost red please find where my order day they went home'.split(
    ' ',
  );
  const random = createRandom(1);
  const text = (count: number): string =>
    Array.from({ length: count }, () => words[Math.floor(random.uniform() * words.length)]).join(
      ' ',
    );
  writeFileAtomicFrom(file, lines());
  return file;

  function* lines(): Generator<string> {
    for (let left = size * 1e9; left > 0;) {
      const piece = Array.from({ length: 500 }, () =>
        JSON.stringify({ prompt: text(30), response: text(60) }),
      );
      const joined = `${piece.join('\n')}\n`;
      left -= joined.length;
      yield joined;
    }
  }
}

/** Seconds to hash the model: plainly, and by what a job uses. */
async function compareHashing(): Promise<{ plain: number; ours: number }> {
  const times = { plain: Infinity, ours: Infinity };
  for (let i = 0; i < 3; i++) {
    times.plain = Math.min(times.plain, await timed(() => void plainHash(weights)));
    const hash = async (): Promise<void> => {
      await hashFiles([weights], { verify: true }).hashes;
    };
    times.ours = Math.min(times.ours, await timed(hash));
  }
  return times;
}

function plainHash(file: string): string {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafeSlow(4 << 20);
  const descriptor = openSync(file, 'r');
  for (let read = 0; (read = readSync(descriptor, piece)) > 0;) {
    hash.update(piece.subarray(0, read));
  }
  closeSync(descriptor);
  return hash.digest('hex');
}

async function timed(work: () => void | Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

/** Seconds until a new job would write its first sample; it ends there. */
async function startJob(verify: boolean): Promise<number> {
  const config = runConfigSchema.parse({
    name: 'start',
    model,
    dataset,
    provider: 'cpu',
    generation: { count: 1 },
    evaluation: { klSamples: 0 },
  });
  const run = createRun(join(cacheFolder, 'start'), config);
  const reached = new Error('reached');
  const began = performance.now();
  let ended: number | undefined;
  try {
    await runJob({
      run,
      resume: false,
      until: 'samples',
      verify,
      signal: new AbortController().signal,
      onEvent: (event) => {
        if (event.type !== 'phase' || event.phase !== 'generating') return;
        ended = performance.now();
        throw reached;
      },
    });
  } catch (error) {
    if (error !== reached) throw error;
  } finally {
    rmSync(run.folder, { recursive: true, force: true });
  }
  return (defined(ended, 'first sample') - began) / 1000;
}
