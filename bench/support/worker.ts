/**
 * Our side of the benchmarks, in a process of its own: it answers JSON lines as the peers do (see
 * `../peers/lineProcess.ts`), so that its peak of memory and its threads are its own. It trains with
 * the trainer's own pieces and samples with the generator.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { defined, messageOf } from '../../src/errors.js';
import { generate } from '../../src/generator/generate.js';
import { Graph, matmul } from '../../src/graph/index.js';
import { createDecoders, stepsPerRun, type Decoder } from '../../src/model/decoder.js';
import { folderArchitecture } from '../../src/model/families/index.js';
import { sft } from '../../src/methods/sft.js';
import { openModelFolder } from '../../src/model/folder.js';
import { parameterCount } from '../../src/model/parameters.js';
import { loadTokenizer, type Tokenizer } from '../../src/model/tokenizer.js';
import { createRandom } from '../../src/random.js';
import { float32, kernelsOf, openDevice } from '../../src/runtime/index.js';
import { createOptimizer, stateOf } from '../../src/trainer/optimizer.js';
import { createGradientComputer, objectiveOf } from '../../src/trainer/step.js';
import { createStore } from '../../src/trainer/store.js';
import { planFrozen, planStore } from '../../src/trainer/storePlan.js';
import { adamW } from '../../src/trainer/transforms.js';
import { residentBytes } from './memory.js';
import { requests, type Answers, type Command, type Requests } from './requests.js';

const baselineBytes = residentBytes('VmRSS');

async function openModel(folder: string, threads: number) {
  const source = openModelFolder(folder);
  const architecture = folderArchitecture(source);
  const device = await openDevice({ name: 'cpu', threads });
  return { architecture, device, read: source.tensors.readInto };
}

async function openTrainer(settings: Requests['trainer']) {
  const { architecture, device, read } = await openModel(settings.folder, settings.threads);
  const transforms = adamW(settings);
  const plan = planStore(architecture.parameters, stateOf(transforms), 'cpu');
  const store = await createStore(device, plan, read);
  const objective = objectiveOf(sft, { lambda: 1, own: {} });
  const gradients = createGradientComputer(device, architecture, store, settings, objective);
  const optimizer = await createOptimizer(device, store, transforms);
  let updates = 0;
  const step = async ({ rows, learningRate }: Requests['step']): Promise<Answers['step']> => {
    const mixed = {
      epoch: 0,
      index: updates,
      rows: rows.map(({ ids, supervised }) => ({
        ids: Int32Array.from(ids),
        supervised: Uint8Array.from(supervised),
      })),
      sources: rows.map(() => 'dataset'),
      rowIndices: rows.map((_, i) => i),
    };
    const start = performance.now();
    const { loss, norm } = await gradients.compute(mixed);
    const afterGradients = performance.now();
    await optimizer.update(++updates, learningRate, Math.min(1, settings.clip / (norm + 1e-6)));
    const end = performance.now();
    return {
      loss,
      gradNorm: norm,
      seconds: (end - start) / 1000,
      optimizer: (end - afterGradients) / 1000,
    };
  };
  return { step, parameters: parameterCount(architecture.parameters) };
}

async function timeSquare({ size, repeats, threads }: Requests['square']) {
  const device = await openDevice({ name: 'cpu', threads });
  const g = new Graph(kernelsOf('cpu'));
  const matrix = (name: string) => g.input(name, 'float32', [size, size]);
  g.output('y', matmul(g, matrix('a'), matrix('b')));
  const session = await device.session(g.encode(), ['y']);
  const random = createRandom(1);
  const values = (): Float32Array => new Float32Array(size * size).map(() => random.uniform());
  const feeds = { a: float32(values(), [size, size]), b: float32(values(), [size, size]) };
  const { tensors } = await device.allocate([[size, size]], size * size);
  const y = defined(tensors[0], 'result');
  await session.run(feeds, { y });
  const seconds: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await session.run(feeds, { y });
    seconds.push((performance.now() - start) / 1000);
  }
  await session.release();
  return { seconds };
}

/** For models with random weights, whose tokens have no text. */
const numbersAsText: Tokenizer = {
  vocabSize: 0,
  encode: () => [],
  encodeWithSpecials: () => [],
  decode: (ids) => ids.join(' '),
  tokenText: String,
  idOf: () => undefined,
  chatTemplate: undefined,
};

async function openGenerator(settings: Requests['decoder']) {
  const { folder, threads, bos, batch, tokens, sampling } = settings;
  const { architecture, device, read } = await openModel(folder, threads);
  const store = await createStore(device, planFrozen(architecture.parameters, 'cpu'), read);
  const decoder = await createDecoders(device, architecture).open(store.weights, {
    batch,
    sampling: sampling === 'greedy' ? 'greedy' : { temperature: 1 },
    maxTokens: tokens + 1,
  });
  const tokenizer = existsSync(join(folder, 'tokenizer.json'))
    ? loadTokenizer(folder)
    : numbersAsText;
  const write = (seed: number, maxLength: number): Promise<number[][]> =>
    writeRows(decoder, tokenizer, bos, seed, maxLength);
  return {
    generate: async ({ seed }: Requests['generate']): Promise<Answers['generate']> => {
      await write(seed, Math.min(stepsPerRun, tokens));
      const start = performance.now();
      const written = await write(seed, tokens);
      return { seconds: (performance.now() - start) / 1000, tokens: written };
    },
    release: () => decoder.release(),
  };
}

async function writeRows(
  decoder: Decoder,
  tokenizer: Tokenizer,
  bosId: number,
  seed: number,
  maxLength: number,
): Promise<number[][]> {
  const options = { decoder, tokenizer, bosIds: [bosId], eosIds: [], count: decoder.batch };
  const rows: number[][] = [];
  for await (const { index, tokens } of generate({
    ...options,
    seed,
    maxLength,
    stopAtEos: false,
  })) {
    rows[index] = tokens;
  }
  return rows;
}

let trainer: Awaited<ReturnType<typeof openTrainer>> | undefined;
let generator: Awaited<ReturnType<typeof openGenerator>> | undefined;

const commands: { [K in Command]: (request: Requests[K]) => Promise<Answers[K]> } = {
  trainer: async (request) => {
    trainer = await openTrainer(request);
    return { parameters: trainer.parameters };
  },
  step: (request) => defined(trainer, 'trainer').step(request),
  memory: () => Promise.resolve({ peakBytes: residentBytes('VmHWM'), baselineBytes }),
  square: timeSquare,
  decoder: async (request) => {
    generator?.release();
    generator = await openGenerator(request);
    return {};
  },
  generate: (request) => defined(generator, 'generator').generate(request),
};

function isCommand(name: unknown): name is Command {
  return typeof name === 'string' && name in commands;
}

function run<K extends Command>(command: K, request: unknown): Promise<Answers[K]> {
  return commands[command](requests[command].parse(request) as Requests[K]);
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as { id: number; command: unknown };
  const { id, command } = request;
  if (command === 'quit') break;
  let answer: object;
  try {
    if (!isCommand(command)) throw new Error(`no command ${String(command)}`);
    answer = { id, ok: true, result: await run(command, request) };
  } catch (error) {
    answer = { id, ok: false, error: messageOf(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
