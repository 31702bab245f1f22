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
import {
  createDecoders,
  stepsPerRun,
  type Decoder,
  type DecoderOptions,
} from '../../src/model/decoder.js';
import { folderArchitecture } from '../../src/model/families/index.js';
import { openModelFolder } from '../../src/model/folder.js';
import { parameterCount } from '../../src/model/parameters.js';
import { loadTokenizer, type Tokenizer } from '../../src/model/tokenizer.js';
import { createRandom } from '../../src/random.js';
import { float32, kernelsOf, openDevice } from '../../src/runtime/index.js';
import { stateOf } from '../../src/trainer/optimizer.js';
import { createStore } from '../../src/trainer/store.js';
import { planFrozen, planStore } from '../../src/trainer/storePlan.js';
import { adamW } from '../../src/trainer/transforms.js';
import { residentBytes } from './memory.js';
import { numbersAsText } from './numbersAsText.js';
import { createTrainer } from './ourTrainer.js';
import { requests, type Answers, type Command, type Requests } from './requests.js';

const baselineBytes = residentBytes('VmRSS');

async function openModel(folder: string, threads: number) {
  const source = openModelFolder(folder);
  const architecture = folderArchitecture(source);
  const device = await openDevice({ name: 'cpu', threads });
  return { architecture, device, read: source.tensors.readInto };
}

async function openTrainer({ folder, threads, ...settings }: Requests['trainer']) {
  const model = await openModel(folder, threads);
  const { architecture, device, read } = model;
  const plan = planStore(architecture.parameters, stateOf(adamW(settings)), 'cpu');
  const store = await createStore(device, plan, read);
  const step = await createTrainer(model, store, settings);
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

/** What decoders of one model share, whatever their shapes. */
async function openSampling(folder: string, threads: number) {
  const { architecture, device, read } = await openModel(folder, threads);
  const store = await createStore(device, planFrozen(architecture.parameters, 'cpu'), read);
  const decoders = createDecoders(device, architecture);
  return {
    isOf: (request: Requests['decoder']) =>
      request.folder === folder && request.threads === threads,
    open: (options: DecoderOptions) => decoders.open(store.weights, options),
    release: async () => {
      await decoders.release();
      store.release();
    },
  };
}

async function openGenerator(sampling: Sampling, settings: Requests['decoder']) {
  const { folder, bos, batch, tokens } = settings;
  const decoder = await sampling.open({
    batch,
    sampling: settings.sampling === 'greedy' ? 'greedy' : { temperature: 1 },
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
type Sampling = Awaited<ReturnType<typeof openSampling>>;
let sampling: Sampling | undefined;
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
    generator = undefined;
    if (sampling?.isOf(request) === false) {
      await sampling.release();
      sampling = undefined;
    }
    sampling ??= await openSampling(request.folder, request.threads);
    generator = await openGenerator(sampling, request);
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
