/**
 * `npm run bench:generate`: our sampling beside llama.cpp's on the same float32 weights, threads and
 * lengths: every row from BOS alone, from the whole distribution at temperature 1, continuing after
 * EOS. llama.cpp is taken with its faster attention and its faster sampler.
 *
 *   npm run bench:generate -- [--batches 1,8,32,128] [--tokens 128] [--rounds 3]
 *                             [--model FOLDER] [--threads N] [--write]
 */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { formatTable } from '../src/cli/table.js';
import { defined } from '../src/errors.js';
import { openModelFolder } from '../src/model/folder.js';
import { writeLlamaGguf } from './gguf.js';
import manifest from './package.json' with { type: 'json' };
import { isSkipped } from './peers/lineProcess.js';
import {
  startLlamaCpp,
  type LlamaCpp,
  type LlamaCppForm,
  type LlamaCppSampling,
  type LlamaCppSettings,
} from './peers/llamaCpp.js';
import { shapes } from './shapes.js';
import { alternate } from './support/alternate.js';
import { startOurs, type Ours } from './support/ours.js';
import { cacheFolder, places, randomModel } from './support/places.js';
import { formatSpread, machineFacts, writeResult } from './support/report.js';
import { rateOf, type Spread } from './support/statistics.js';

const { values: flags } = parseArgs({
  options: {
    batches: { type: 'string', default: '1,8,32,128' },
    tokens: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '3' },
    model: { type: 'string', default: places.stories15M },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [tokens, rounds, threads] = [flags.tokens, flags.rounds, flags.threads].map(Number) as [
  number,
  number,
  number,
];
const seed = 1;

/** Tokens of the short runs that choose llama.cpp's settings. */
const probeTokens = Math.min(32, tokens);

/**
 * Both sides must begin a greedy text alike, or they do not run the same model. Not all of it:
 * llama.cpp keeps keys and values in float16, and two tokens may be nearly as likely.
 */
const sameGreedyTokens = Math.min(16, tokens);

interface Peer {
  form: LlamaCppForm;
  server: LlamaCpp;
}

interface Choice {
  flashAttention: boolean;
  sampler: LlamaCppSampling['sampler'];
}

interface Outcome {
  batch: number;
  /** Tokens per second. */
  ours: Spread;
  peers: { form: LlamaCppForm; choice: Choice; rate: Spread; ratio: number }[];
}

function settingsFor(batch: number, length: number, flashAttention: boolean): LlamaCppSettings {
  return { file: gguf, bos, sequences: batch, tokens: length, threads, flashAttention };
}

/** The fastest of flash attention on and off with each sampler the form has. */
async function fastestChoice({ form, server }: Peer, batch: number): Promise<Choice> {
  const samplers = form === 'native' ? (['chain', 'graph'] as const) : (['chain'] as const);
  let best: { choice: Choice; seconds: number } | undefined;
  for (const flashAttention of [true, false]) {
    await server.load(settingsFor(batch, probeTokens, flashAttention));
    for (const sampler of samplers) {
      const { seconds } = await server.generate({ temperature: 1, seed, sampler });
      if (best && best.seconds <= seconds) continue;
      best = { choice: { flashAttention, sampler }, seconds };
    }
  }
  return defined(best, 'timed setting').choice;
}

async function measureBatch(ours: Ours, peers: readonly Peer[], batch: number): Promise<Outcome> {
  const wanted = batch * tokens;
  const check = (who: string, written: readonly number[][]): void => {
    const count = written.reduce((sum, row) => sum + row.length, 0);
    if (count !== wanted) throw new Error(`${who} wrote ${count} tokens, not ${wanted}`);
  };
  await ours.request('decoder', {
    folder: model,
    threads,
    bos,
    batch,
    tokens,
    sampling: 'whole',
  });
  const ourSeconds: number[] = [];
  const rivals = [];
  for (const peer of peers) {
    const choice = await fastestChoice(peer, batch);
    await peer.server.load(settingsFor(batch, tokens, choice.flashAttention));
    rivals.push({ ...peer, choice, seconds: [] as number[] });
  }
  await alternate(rounds, [
    async (round) => {
      const { seconds, tokens: written } = await ours.request('generate', { seed: seed + round });
      check('CFS Studio', written);
      ourSeconds.push(seconds);
    },
    ...rivals.map(({ form, server, choice, seconds }) => async (round: number) => {
      const { sampler } = choice;
      const run = await server.generate({ temperature: 1, seed: seed + round * batch, sampler });
      check(`llama.cpp (${form})`, run.tokens);
      seconds.push(run.seconds);
    }),
  ]);
  const rate = rateOf(wanted, ourSeconds);
  return {
    batch,
    ours: rate,
    peers: rivals.map(({ form, choice, seconds }) => {
      const theirs = rateOf(wanted, seconds);
      return { form, choice, rate: theirs, ratio: rate.median / theirs.median };
    }),
  };
}

/** How many tokens the greedy texts of ours and of llama.cpp begin alike. */
async function greedyAgreement(ours: Ours, { server }: Peer): Promise<number> {
  await ours.request('decoder', {
    folder: model,
    threads,
    bos,
    batch: 1,
    tokens,
    sampling: 'greedy',
  });
  await server.load(settingsFor(1, tokens, false));
  const [our] = (await ours.request('generate', { seed })).tokens;
  const [their] = (await server.generate({ temperature: 0, seed, sampler: 'chain' })).tokens;
  const differs = defined(our, 'our text').findIndex((token, i) => token !== their?.[i]);
  return differs === -1 ? tokens : differs;
}

function tableOf(outcomes: readonly Outcome[]): string[][] {
  const forms = outcomes[0]?.peers.map(({ form }) => form) ?? [];
  const names = { native: 'llama.cpp', node: 'node-llama-cpp' };
  return [
    [
      'batch',
      'ours, tokens/s',
      ...forms.flatMap((form) => [names[form], 'ratio', 'attention, sampler']),
    ],
    ...outcomes.map(({ batch, ours, peers }) => [
      String(batch),
      formatSpread(ours),
      ...peers.flatMap(({ rate, ratio, choice }) => [
        formatSpread(rate),
        `${ratio.toFixed(2)} ×`,
        `${choice.flashAttention ? 'flash' : 'plain'}, ${choice.sampler}`,
      ]),
    ]),
  ];
}

const real = existsSync(flags.model);
const model = real ? flags.model : randomModel('15M', shapes['15M']);
if (!real) console.log(`${flags.model} is not there: a random model of 15M instead`);
const folder = openModelFolder(model);
const { bos_token_id: bos } = z.looseObject({ bos_token_id: z.int() }).parse(folder.config);
const gguf = join(cacheFolder, 'generate.gguf');
writeLlamaGguf(gguf, folder, 'F32');

const peers: Peer[] = [];
for (const form of ['native', 'node'] as const) {
  const server = startLlamaCpp(form);
  if (isSkipped(server)) console.log(`llama.cpp (${form}): skipped: ${server.skipped}`);
  else peers.push({ form, server });
}
const ours = await startOurs();

let agrees = true;
const [native] = peers.filter(({ form }) => form === 'native');
if (native && real) {
  const alike = await greedyAgreement(ours, native);
  console.log(`greedy text: the first ${alike} of ${tokens} tokens are llama.cpp's`);
  agrees = alike >= sameGreedyTokens;
  if (!agrees) console.error('FAIL: these are not the same models');
}

const outcomes: Outcome[] = [];
for (const batch of flags.batches.split(',').map(Number)) {
  outcomes.push(await measureBatch(ours, peers, batch));
}
await ours.stop();
for (const { server } of peers) await server.stop();

const rows = tableOf(outcomes);
console.log(formatTable(rows, [0, 1, 2, 3, 5, 6]));
if (flags.write) {
  await writeResult('generate', {
    title: 'Sampling beside llama.cpp',
    facts: machineFacts({
      'node-llama-cpp': manifest.dependencies['node-llama-cpp'],
      model: real ? basename(model) : 'random weights, 15M',
    }),
    rows,
    notes: [
      `${tokens} tokens a row, ${threads} threads, float32 weights; medians (slowest–fastest) of ` +
        `${rounds} rounds by turns; ratios are our speed over theirs.`,
    ],
    numbers: { tokens, rounds, threads, outcomes },
  });
}
process.exit(agrees ? 0 : 1);
