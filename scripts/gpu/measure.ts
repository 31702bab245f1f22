/**
 * The child processes of the GPU check: each does one thing on one provider, tells what it measured as
 * soon as it knows it, and may be killed at any moment. Argument: a `Request` as JSON.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { residentBytes } from '../../bench/support/memory.js';
import { encodeIdentity } from '../../src/graph/index.js';
import { messageOf } from '../../src/errors.js';
import { makeModel, makeRows, work, type Work } from './shapes.js';
import { openReading, openTraining, type Where } from './core.js';
import { eventMark, type Event, type Kind, type ShapeName } from './record.js';

export type Request =
  /** Whether WebGPU starts at all. */
  | { what: 'probe' }
  /** Which node is placed where, as ONNX Runtime prints it, each graph after a line `graph: NAME`. */
  | { what: 'place'; where: Where }
  /** Makes the models of these shapes, each in a folder of its name. */
  | { what: 'make'; shapes: ShapeName[]; folder: string }
  | { what: 'measure'; where: Where; shape: ShapeName; kinds: Kind[]; timed?: number };

function tell(event: Event): void {
  process.stdout.write(`${eventMark}${JSON.stringify(event)}\n`);
}

async function timed<T>(act: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const began = performance.now();
  const result = await act();
  return { result, seconds: (performance.now() - began) / 1000 };
}

type Pass = Omit<Extract<Event, { event: 'pass' }>, 'event' | 'tokens'>;

/** One that is not counted, and `work.timed` that are. */
async function repeat(
  { timed: count }: Work,
  tokens: number,
  pass: (index: number) => Promise<Pass>,
): Promise<void> {
  for (let i = 0; i <= count; i++) tell({ event: 'pass', tokens, ...(await pass(i)) });
}

async function measure(where: Where, kind: Kind, all: Work): Promise<void> {
  const tokens = all.batch * all.time;
  if (kind === 'train') {
    const { result: training, seconds } = await timed(() => openTraining(where, all.time, tokens));
    tell({ event: 'opened', seconds, parameters: training.parameters });
    const rows = makeRows(training.vocabulary, all);
    await repeat(all, tokens, () => training.step(rows));
    return;
  }
  const { result: model, seconds } = await timed(() => openReading(where));
  tell({ event: 'opened', seconds, parameters: model.parameters });
  if (kind === 'score') {
    const rows = makeRows(model.vocabulary, all);
    await repeat(all, tokens, async () => {
      const { result: loss, seconds } = await timed(() => model.score(rows));
      return { seconds, loss };
    });
    return;
  }
  const sampling = await model.openSampling(all.rows, all.tokens);
  const passes = Math.min(all.timed, 2);
  await repeat({ ...all, timed: passes }, all.rows * all.tokens, async (index) => {
    const { seconds } = await timed(() => sampling.write(index));
    return { seconds };
  });
}

/** Every session from here on prints its nodes; `name` says what the next ones are for. */
function printPlacements(): (name: string) => void {
  let graph = '';
  const create = ort.InferenceSession.create.bind(ort.InferenceSession) as (
    model: Uint8Array,
    options: ort.InferenceSession.SessionOptions,
  ) => Promise<ort.InferenceSession>;
  const loud = (model: Uint8Array, options: ort.InferenceSession.SessionOptions) => {
    process.stderr.write(`graph: ${graph}\n`);
    return create(model, { ...options, logSeverityLevel: 0, logVerbosityLevel: 1 });
  };
  ort.env.logLevel = 'verbose';
  Object.assign(ort.InferenceSession, { create: loud });
  return (name) => (graph = name);
}

async function place(where: Where): Promise<void> {
  const next = printPlacements();
  const all = work.demo;
  next('optimizer');
  // Twice the tokens of a pass, so that the second graph, which adds gradients up, is made too.
  const training = await openTraining(where, all.time, (all.batch * all.time) / 2);
  const rows = makeRows(training.vocabulary, all);
  next('training step');
  await training.step(rows);
  const reading = await openReading(where);
  next('evaluation');
  await reading.score(rows);
  next('sampling');
  const sampling = await reading.openSampling(all.rows, all.tokens);
  next('reading a prompt');
  await sampling.prefill([1, 2, 3]);
}

async function probe(): Promise<void> {
  const options = { executionProviders: ['webgpu'] };
  const session = await ort.InferenceSession.create(encodeIdentity(), options);
  const x = new ort.Tensor('float32', Float32Array.of(1, 2), [2]);
  const { y } = await session.run({ x });
  if (y?.data[1] !== 2) throw new Error('a copy on the device is not what was copied');
}

async function answer(request: Request): Promise<void> {
  switch (request.what) {
    case 'probe':
      return probe();
    case 'place':
      return place(request.where);
    case 'make':
      for (const shape of request.shapes) {
        const folder = join(request.folder, shape);
        mkdirSync(folder, { recursive: true });
        if (makeModel(shape, folder)) tell({ event: 'made', shape });
      }
      return;
    case 'measure': {
      const { where, shape, kinds } = request;
      const all = { ...work[shape], ...(request.timed && { timed: request.timed }) };
      for (const kind of kinds) {
        tell({ event: 'begin', shape, kind });
        await measure(where, kind, all);
        tell({ event: 'end', hostBytes: residentBytes('VmHWM') });
      }
    }
  }
}

try {
  await answer(JSON.parse(process.argv[2] ?? '') as Request);
} catch (error) {
  tell({ event: 'end', error: messageOf(error), hostBytes: residentBytes('VmHWM') });
  process.exitCode = 1;
}
// Sessions of a GPU are not closed one by one; with the process all is given back.
process.exit();
