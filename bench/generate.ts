/**
 * `npm run bench:generate`: our sampling beside llama.cpp's on the same weights, threads and lengths:
 * every row from BOS alone, from the whole distribution at temperature 1, continuing after EOS. Ours
 * computes in float32; llama.cpp has the weights in F32, F16 and Q8_0, and is taken with its faster
 * attention and its faster sampler.
 *
 *   npm run bench:generate -- [--models stories15M,350M,1.1B] [--types F32,F16,Q8_0]
 *                             [--node stories15M] [--batches 1,8] [--tokens N] [--rounds 3]
 *                             [--threads N] [--write]
 *
 * `--models`: shapes (`shapes.ts`), stories15M, or folders; `--node`: those of them that
 * node-llama-cpp writes too; `--batches` and `--tokens`: instead of what suits each model.
 */
import { existsSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { formatTable } from '../src/cli/table.js';
import { defined } from '../src/errors.js';
import { openModelFolder } from '../src/model/folder.js';
import { writeLlamaGguf, type GgufType } from './gguf.js';
import manifest from './package.json' with { type: 'json' };
import { isSkipped } from './peers/lineProcess.js';
import {
  startLlamaCpp,
  type LlamaCpp,
  type LlamaCppForm,
  type LlamaCppSampling,
  type LlamaCppSettings,
} from './peers/llamaCpp.js';
import { isShapeName } from './shapes.js';
import { alternate } from './support/alternate.js';
import { startOurs, type Ours } from './support/ours.js';
import { cacheFolder, knownModel, places } from './support/places.js';
import { formatSpread, machineFacts, writeResult } from './support/report.js';
import { rateOf, type Spread } from './support/statistics.js';

const { values: flags } = parseArgs({
  options: {
    models: { type: 'string', default: 'stories15M,350M,1.1B' },
    types: { type: 'string', default: 'F32,F16,Q8_0' },
    node: { type: 'string', default: 'stories15M' },
    batches: { type: 'string' },
    tokens: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [rounds, threads] = [Number(flags.rounds), Number(flags.threads)];
const types = (['F32', 'F16', 'Q8_0'] as const).filter((type) =>
  flags.types.split(',').includes(type),
);
const seed = 1;

/** Rows at a time and tokens of a row; the larger the model, the fewer. */
const plans: Record<string, { batches: string; tokens: number }> = {
  '350M': { batches: '1,8,32', tokens: 64 },
  '1.1B': { batches: '1,8', tokens: 32 },
};
const usualPlan = { batches: '1,8,32,128', tokens: 128 };

/** Tokens of the short runs that choose llama.cpp's settings, at most. */
const probeTokens = 32;

/**
 * Both sides must begin a greedy text alike, or they do not run the same model. Not all of it:
 * llama.cpp keeps keys and values in float16, and two tokens may be nearly as likely.
 */
const sameGreedyTokens = 16;

/** What is sampled, and how much of it. */
interface Subject {
  name: string;
  folder: string;
  bos: number;
  batches: number[];
  tokens: number;
  /** Whether its weights were trained; random ones have no greedy text that two programs agree on. */
  real: boolean;
}

/** llama.cpp with a model in one type, in a process of its own. */
interface Peer {
  form: LlamaCppForm;
  type: GgufType;
  file: string;
  server: LlamaCpp;
}

interface Choice {
  flashAttention: boolean;
  sampler: LlamaCppSampling['sampler'];
}

interface Outcome {
  model: string;
  batch: number;
  tokens: number;
  /** Tokens per second. */
  ours: Spread;
  peers: { form: LlamaCppForm; type: GgufType; choice: Choice; rate: Spread; ratio: number }[];
}

function subjectOf(name: string): Subject {
  const plan = plans[name] ?? usualPlan;
  const given = name === 'stories15M' ? places.stories15M : name;
  const real = !isShapeName(name) && existsSync(given);
  if (!real && !isShapeName(name))
    console.log(`${given} is not there: random weights of 15M instead`);
  const folder = real ? given : knownModel(isShapeName(name) ? name : '15M');
  const { config } = openModelFolder(folder);
  return {
    name: basename(folder),
    folder,
    bos: z.looseObject({ bos_token_id: z.int() }).parse(config).bos_token_id,
    batches: (flags.batches ?? plan.batches).split(',').map(Number),
    tokens: Number(flags.tokens ?? plan.tokens),
    real,
  };
}

/** Starts llama.cpp for every type, and node-llama-cpp for float32 where it is wanted. */
function startPeers(wanted: string, folder: string): Peer[] {
  const peers: Peer[] = [];
  const wantsNode = flags.node.split(',').includes(wanted);
  const forms = [
    ...types.map((type) => ({ form: 'native' as const, type })),
    ...(wantsNode ? [{ form: 'node' as const, type: 'F32' as const }] : []),
  ];
  for (const { form, type } of forms) {
    const server = startLlamaCpp(form);
    if (isSkipped(server)) {
      console.log(`llama.cpp (${form}, ${type}): skipped: ${server.skipped}`);
      continue;
    }
    const file = join(cacheFolder, `generate-${type}.gguf`);
    if (!peers.some((peer) => peer.file === file)) {
      writeLlamaGguf(file, openModelFolder(folder), type);
    }
    peers.push({ form, type, file, server });
  }
  return peers;
}

async function stopPeers(peers: readonly Peer[]): Promise<void> {
  for (const { server } of peers) await server.stop();
  for (const { file } of peers) rmSync(file, { force: true });
}

function settingsFor(
  { file }: Peer,
  { bos }: Subject,
  batch: number,
  tokens: number,
  flashAttention: boolean,
): LlamaCppSettings {
  return { file, bos, sequences: batch, tokens, threads, flashAttention };
}

/** The fastest of flash attention on and off with each sampler the form has. */
async function fastestChoice(peer: Peer, subject: Subject, batch: number): Promise<Choice> {
  const { form, server } = peer;
  const samplers = form === 'native' ? (['chain', 'graph'] as const) : (['chain'] as const);
  const length = Math.min(probeTokens, subject.tokens);
  let best: { choice: Choice; seconds: number } | undefined;
  for (const flashAttention of [true, false]) {
    await server.load(settingsFor(peer, subject, batch, length, flashAttention));
    for (const sampler of samplers) {
      const { seconds } = await server.generate({ temperature: 1, seed, sampler });
      if (best && best.seconds <= seconds) continue;
      best = { choice: { flashAttention, sampler }, seconds };
    }
  }
  return defined(best, 'timed setting').choice;
}

async function measureBatch(
  ours: Ours,
  peers: readonly Peer[],
  subject: Subject,
  batch: number,
): Promise<Outcome> {
  const { name, folder, bos, tokens } = subject;
  const wanted = batch * tokens;
  const check = (who: string, written: readonly number[][]): void => {
    const count = written.reduce((sum, row) => sum + row.length, 0);
    if (count !== wanted) throw new Error(`${who} wrote ${count} tokens, not ${wanted}`);
  };
  await ours.request('decoder', { folder, threads, bos, batch, tokens, sampling: 'whole' });
  const ourSeconds: number[] = [];
  const rivals = [];
  for (const peer of peers) {
    const choice = await fastestChoice(peer, subject, batch);
    await peer.server.load(settingsFor(peer, subject, batch, tokens, choice.flashAttention));
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
    model: name,
    batch,
    tokens,
    ours: rate,
    peers: rivals.map(({ form, type, choice, seconds }) => {
      const theirs = rateOf(wanted, seconds);
      return { form, type, choice, rate: theirs, ratio: rate.median / theirs.median };
    }),
  };
}

/** Whether the greedy texts of ours and of llama.cpp begin alike. */
async function agree(ours: Ours, peer: Peer, subject: Subject): Promise<boolean> {
  const { folder, bos, tokens } = subject;
  const settings = { folder, threads, bos, batch: 1, tokens, sampling: 'greedy' as const };
  await ours.request('decoder', settings);
  await peer.server.load(settingsFor(peer, subject, 1, tokens, false));
  const [our] = (await ours.request('generate', { seed })).tokens;
  const [their] = (await peer.server.generate({ temperature: 0, seed, sampler: 'chain' })).tokens;
  const differs = defined(our, 'our text').findIndex((token, i) => token !== their?.[i]);
  const alike = differs === -1 ? tokens : differs;
  console.log(`greedy text: the first ${alike} of ${tokens} tokens are llama.cpp's`);
  if (alike >= Math.min(sameGreedyTokens, tokens)) return true;
  console.error('FAIL: these are not the same models');
  return false;
}

function labelOf({ form, type }: { form: LlamaCppForm; type: GgufType }): string {
  return form === 'native' ? `llama.cpp ${type}` : 'node-llama-cpp F32';
}

function tableOf(outcomes: readonly Outcome[]): string[][] {
  const labels = [...new Set(outcomes.flatMap(({ peers }) => peers.map(labelOf)))];
  return [
    ['model', 'batch', 'ours, tokens/s', ...labels.flatMap((label) => [label, 'ratio'])],
    ...outcomes.map(({ model, batch, ours, peers }) => [
      model,
      String(batch),
      formatSpread(ours, 1),
      ...labels.flatMap((label) => {
        const peer = peers.find((one) => labelOf(one) === label);
        if (!peer) return ['–', '–'];
        return [formatSpread(peer.rate, 1), `${peer.ratio.toFixed(2)} ×`];
      }),
    ]),
  ];
}

const outcomes: Outcome[] = [];
let allAgree = true;
const ours = await startOurs();
for (const wanted of flags.models.split(',')) {
  const subject = subjectOf(wanted);
  const peers = startPeers(wanted, subject.folder);
  try {
    const exact = peers.find(({ form, type }) => form === 'native' && type === 'F32');
    if (exact && subject.real) allAgree = (await agree(ours, exact, subject)) && allAgree;
    for (const batch of subject.batches) {
      const outcome = await measureBatch(ours, peers, subject, batch);
      outcomes.push(outcome);
      console.log(tableOf([outcome]).at(-1)?.join(' | '));
    }
  } finally {
    await stopPeers(peers);
  }
}
await ours.stop();

const rows = tableOf(outcomes);
console.log(formatTable(rows, [...(rows[0] ?? []).keys()].slice(1)));
if (flags.write) {
  const lengths = [...new Map(outcomes.map(({ model, tokens }) => [model, tokens]))];
  await writeResult('generate', {
    title: 'Sampling beside llama.cpp',
    facts: machineFacts({ 'node-llama-cpp': manifest.dependencies['node-llama-cpp'] }),
    rows,
    notes: [
      `Ours in float32; llama.cpp with the weights in the type that is named. ${threads} threads; ` +
        `medians (slowest–fastest) of ${rounds} rounds by turns; ratios are our speed over theirs. ` +
        `Tokens of a row: ${lengths.map(([model, tokens]) => `${tokens} of ${model}`).join(', ')}. ` +
        'Models other than stories15M have random weights.',
    ],
    numbers: { rounds, threads, outcomes },
  });
}
process.exit(allAgree ? 0 : 1);
