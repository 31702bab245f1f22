/**
 * Our side of `bench:start`, a process that does one thing and ends: it opens a model as a job does,
 * reads its weights into the memory that a job keeps, and makes the first sample, the first score or
 * the first training step. It is told what in its first argument, as JSON (`startRequest.ts`).
 */
import { openModel } from '../../src/engine/model.js';
import { defined } from '../../src/errors.js';
import { generate } from '../../src/generator/generate.js';
import { contextFreeRow } from '../../src/mixer/rows.js';
import { createDecoders } from '../../src/model/decoder.js';
import { cacheBytes } from '../../src/model/decoderCache.js';
import { createScorer } from '../../src/model/scoreGraph.js';
import { chooseProvider, openDevice } from '../../src/runtime/index.js';
import { stateOf } from '../../src/trainer/optimizer.js';
import { createStore } from '../../src/trainer/store.js';
import { planFrozen, planStore } from '../../src/trainer/storePlan.js';
import { adamW } from '../../src/trainer/transforms.js';
import { residentBytes } from './memory.js';
import { createTrainer } from './ourTrainer.js';
import { startSchema, type Mark } from './startRequest.js';

const request = startSchema.parse(JSON.parse(defined(process.argv[2], 'request')));
const { folder, threads, work, trains, samples, tokens, rows } = request;
const training = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, clip: 1 };
const time = rows[0]?.length ?? 1;
const shape = { time, maxTokens: rows.length * time, decayVectors: true };

const model = openModel(folder);
const { architecture, tokenizer, bos } = model;
const device = await openDevice(await chooseProvider('cpu', threads));
const state = stateOf(adamW({ ...training, ...shape }));
const plan = trains
  ? planStore(architecture.parameters, state, 'cpu')
  : planFrozen(architecture.parameters, 'cpu');
const store = await createStore(device, plan, model.folder.tensors.readInto);
tell('loaded');
tell('done', await { sample, score, step }[work]());
process.exit(0);

async function sample(): Promise<Pick<Mark, 'cacheBytes'>> {
  const decoders = createDecoders(device, architecture);
  const sampling = { temperature: 1 };
  const decoder = await decoders.open(store.weights, {
    ...{ batch: samples, sampling, maxTokens: tokens + 1 },
  });
  const options = { decoder, tokenizer, bosIds: [bos.id], eosIds: [], count: samples, seed: 1 };
  let written = 0;
  for await (const { text } of generate({ ...options, maxLength: tokens, stopAtEos: false })) {
    if (text !== '') written++;
  }
  if (written !== samples) throw new Error(`${written} samples, not ${samples}`);
  return { cacheBytes: cacheBytes(architecture, samples, tokens) };
}

async function score(): Promise<Pick<Mark, 'result'>> {
  const scorer = createScorer(device, architecture);
  const scores = await scorer.score(
    store.weights,
    rows.map((ids) => contextFreeRow(ids)),
  );
  return { result: sum(scores.map(({ logprob }) => sum(logprob))) };
}

async function step(): Promise<Pick<Mark, 'result'>> {
  const take = await createTrainer({ device, architecture }, store, { ...training, ...shape });
  const supervised = Array.from({ length: time }, (_, i) => (i === 0 ? 0 : 1));
  const { loss } = await take({
    rows: rows.map((ids) => ({ ids, supervised })),
    learningRate: 1e-5,
  });
  return { result: loss };
}

function tell(mark: Mark['mark'], more: Partial<Mark> = {}): void {
  const used = process.resourceUsage();
  const line: Mark = {
    mark,
    peakBytes: residentBytes('VmHWM'),
    minorFaults: used.minorPageFault,
    majorFaults: used.majorPageFault,
    userSeconds: used.userCPUTime / 1e6,
    systemSeconds: used.systemCPUTime / 1e6,
    ...more,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function sum(values: ArrayLike<number>): number {
  return Array.from(values).reduce((total, value) => total + value, 0);
}
