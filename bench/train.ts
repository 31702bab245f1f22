/**
 * `npm run bench:train`: our optimizer step beside PyTorch's on the same Llama, batch and settings,
 * by turns in one run. Fails (exit code 1) when the losses of the two do not agree: then they do not
 * do the same work, and the times mean nothing.
 *
 *   npm run bench:train -- [--shapes 15M,42M,110M] [--steps N] [--batch 16] [--time 128]
 *                          [--compile 15M] [--threads N] [--write]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { messageOf } from '../src/errors.js';
import { createRandom } from '../src/random.js';
import { isSkipped, type Skipped } from './peers/lineProcess.js';
import { findPython, type PeerPython } from './peers/python.js';
import {
  rankTorchSettings,
  startTorchTrainer,
  type TorchSettings,
  type TorchStep,
  type TorchTrainer,
} from './peers/torchTrain.js';
import { shapes, stepFlops, type LlamaShape } from './shapes.js';
import { alternate } from './support/alternate.js';
import { startOurs } from './support/ours.js';
import { randomModel } from './support/places.js';
import { formatBytes, formatSpread, machineFacts, writeResult } from './support/report.js';
import type { Answers } from './support/requests.js';
import { rateOf, relativeError, spreadOf, type Spread } from './support/statistics.js';

/** `tiny` only shows that everything runs. */
const known: Record<string, LlamaShape> = {
  ...shapes,
  tiny: {
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 512,
    tie_word_embeddings: true,
  },
};

/** Steps that are timed; larger models take longer and vary less. */
const timedSteps: Record<string, number> = { tiny: 4, '15M': 8, '42M': 5, '110M': 3 };
const warmUpSteps = 1;

/**
 * Of the losses, relative. Both sides sum in float32 in orders of their own, and AdamW's first steps
 * move every weight by the full rate whatever the size of its gradient, so that a gradient that is
 * all rounding may go either way: the difference grows with the steps (15M: 1e-6 within five).
 */
const lossTolerance = 1e-4;

const training = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, clip: 1 };
const learningRate = 1e-3;
const seed = 1;

const squareSize = 2048;

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: '15M,42M,110M' },
    steps: { type: 'string' },
    batch: { type: 'string', default: '16' },
    time: { type: 'string', default: '128' },
    compile: { type: 'string', default: '15M' },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [batch, time, threads] = [Number(flags.batch), Number(flags.time), Number(flags.threads)];

/** A PyTorch trainer with its model loaded, and what it has measured. */
interface Peer {
  trainer: TorchTrainer;
  steps: TorchStep[];
}

function isRunning(peer: Peer | Skipped | undefined): peer is Peer {
  return peer !== undefined && !isSkipped(peer);
}

interface Outcome {
  shape: string;
  steps: Answers['step'][];
  memory: Answers['memory'];
  /** Seconds of plain products of square matrices. */
  square: number[];
  torch?: TorchOutcome & Pick<TorchSettings, 'attention' | 'optimizer'>;
  compiled?: TorchOutcome | Skipped;
}

interface TorchOutcome {
  steps: TorchStep[];
  memory: Answers['memory'];
}

async function measureShape(name: string, python: PeerPython | Skipped): Promise<Outcome> {
  const shape = shapeOf(name);
  const folder = randomModel(name, shape);
  const random = createRandom(seed);
  const ids = Array.from({ length: batch * time }, () => random.below(shape.vocab_size));
  const torchBatch = { batch, time, ids };
  const ours = await startOurs();
  const multiplier = await startOurs();
  const best = isSkipped(python) ? undefined : await fastestSettings(python, folder, torchBatch);
  const eager = best && (await openTorch(python as PeerPython, best, torchBatch));
  const compiled =
    best && flags.compile.split(',').includes(name)
      ? await tryCompiled(python as PeerPython, best, torchBatch)
      : undefined;
  const peers = [eager, compiled].filter(isRunning);

  const rows = Array.from({ length: batch }, (_, row) => ({
    ids: ids.slice(row * time, (row + 1) * time),
    supervised: Array.from({ length: time }, (_, i) => (i === 0 ? 0 : 1)),
  }));
  const settings = { folder, threads, time, maxTokens: batch * time, decayVectors: true };
  await ours.request('trainer', { ...settings, ...training });
  const steps: Answers['step'][] = [];
  const ourStep = async (): Promise<void> => {
    steps.push(await ours.request('step', { rows, learningRate }));
  };
  for (let i = 0; i < warmUpSteps; i++) await ourStep();
  const square: number[] = [];
  await alternate(Number(flags.steps ?? timedSteps[name]), [
    async () => {
      const request = { size: squareSize, repeats: 3, threads };
      square.push(...(await multiplier.request('square', request)).seconds);
    },
    ourStep,
    ...peers.map(({ trainer, steps: theirs }) => async () => {
      theirs.push(await trainer.step(torchBatch));
    }),
  ]);
  const outcome: Outcome = {
    shape: name,
    steps,
    memory: await ours.request('memory', {}),
    square,
    torch: eager && best && { ...best, ...(await finish(eager)) },
    compiled: compiled && (isSkipped(compiled) ? compiled : await finish(compiled)),
  };
  await ours.stop();
  await multiplier.stop();
  return outcome;
}

function shapeOf(name: string): LlamaShape {
  const shape = known[name];
  if (shape) return shape;
  throw new Error(`no shape ${name}; there are ${Object.keys(known).join(', ')}`);
}

async function fastestSettings(
  python: PeerPython,
  folder: string,
  torchBatch: { batch: number; time: number; ids: number[] },
): Promise<TorchSettings> {
  const { beta1, beta2, epsilon, weightDecay, clip } = training;
  const settings = {
    folder,
    lr: learningRate,
    betas: [beta1, beta2] as [number, number],
    eps: epsilon,
    weightDecay,
    clip,
    seed,
  };
  const [best] = await rankTorchSettings(python, threads, settings, torchBatch, 1);
  if (best === undefined) throw new Error('no setting of PyTorch was timed');
  const { attention, optimizer } = best;
  return { ...settings, attention, optimizer, mode: 'eager' };
}

/** Loads the model and does the steps to warm up. */
async function openTorch(
  python: PeerPython,
  settings: TorchSettings,
  torchBatch: { batch: number; time: number; ids: number[] },
): Promise<Peer> {
  const trainer = startTorchTrainer(python, threads);
  await trainer.load(settings);
  const steps: TorchStep[] = [];
  for (let i = 0; i < warmUpSteps; i++) steps.push(await trainer.step(torchBatch));
  return { trainer, steps };
}

/** `torch.compile` does not work everywhere; where it does not, the comparison runs without it. */
async function tryCompiled(
  python: PeerPython,
  settings: TorchSettings,
  torchBatch: { batch: number; time: number; ids: number[] },
): Promise<Peer | Skipped> {
  try {
    return await openTorch(python, { ...settings, mode: 'compile' }, torchBatch);
  } catch (error) {
    return { skipped: messageOf(error).split('\n').slice(0, 3).join(' ') };
  }
}

async function finish({ trainer, steps }: Peer): Promise<TorchOutcome> {
  const memory = await trainer.memory();
  await trainer.stop();
  return { steps, memory };
}

interface Figures {
  ours: Spread;
  optimizerShare: number;
  /** Our FLOP/s, and those of the plain product. */
  flops: number;
  squareFlops: number;
  theirs?: TorchFigures;
  compiled?: TorchFigures;
}

interface TorchFigures {
  rate: Spread;
  /** Our median speed over theirs, our peak of memory over theirs. */
  speedRatio: number;
  memoryRatio: number;
  optimizerShare: number;
  /** Largest relative difference of a step's loss. */
  lossError: number;
}

function figuresOf(outcome: Outcome): Figures {
  const timed = outcome.steps.slice(warmUpSteps);
  const ours = rateOf(batch * time, seconds(timed));
  const share = (steps: readonly { seconds: number; optimizer: number }[]): number =>
    spreadOf(steps.map((step) => step.optimizer / step.seconds)).median;
  const beside = ({ steps, memory }: TorchOutcome): TorchFigures => {
    const rate = rateOf(batch * time, seconds(steps.slice(warmUpSteps)));
    const errors = steps.map(({ loss }, i) => relativeError(outcome.steps[i]?.loss ?? NaN, loss));
    return {
      rate,
      speedRatio: ours.median / rate.median,
      memoryRatio: outcome.memory.peakBytes / memory.peakBytes,
      optimizerShare: share(steps.slice(warmUpSteps)),
      lossError: Math.max(...errors),
    };
  };
  const { torch, compiled } = outcome;
  return {
    ours,
    optimizerShare: share(timed),
    flops: stepFlops(shapeOf(outcome.shape), batch, time).total / spreadOf(seconds(timed)).median,
    squareFlops: (2 * squareSize ** 3) / spreadOf(outcome.square).median,
    theirs: torch && beside(torch),
    compiled: compiled && !isSkipped(compiled) ? beside(compiled) : undefined,
  };
}

function seconds(steps: readonly { seconds: number }[]): number[] {
  return steps.map((step) => step.seconds);
}

/** One line of the table for each outcome, headings first. */
function tableOf(outcomes: readonly { outcome: Outcome; figures: Figures }[]): string[][] {
  const none = '–';
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const times = (ratio: number | undefined): string => (ratio ? `${ratio.toFixed(2)} ×` : none);
  return [
    [
      'shape',
      'ours, tokens/s',
      'PyTorch eager',
      'ratio',
      'torch.compile',
      'ratio',
      'peak memory',
      'of PyTorch',
      'ratio',
      'optimizer',
      'of PyTorch',
      'GFLOP/s',
      'of MatMul',
    ],
    ...outcomes.map(({ outcome, figures }) => [
      outcome.shape,
      formatSpread(figures.ours),
      figures.theirs ? formatSpread(figures.theirs.rate) : none,
      times(figures.theirs?.speedRatio),
      figures.compiled ? formatSpread(figures.compiled.rate) : none,
      times(figures.compiled?.speedRatio),
      formatBytes(outcome.memory.peakBytes),
      outcome.torch ? formatBytes(outcome.torch.memory.peakBytes) : none,
      times(figures.theirs?.memoryRatio),
      percent(figures.optimizerShare),
      figures.theirs ? percent(figures.theirs.optimizerShare) : none,
      (figures.flops / 1e9).toFixed(0),
      percent(figures.flops / figures.squareFlops),
    ]),
  ];
}

const python = findPython(['torch', 'transformers']);
if (isSkipped(python)) console.log(`PyTorch: skipped: ${python.skipped}`);
const measured: { outcome: Outcome; figures: Figures }[] = [];
let disagreements = 0;
for (const name of flags.shapes.split(',')) {
  console.log(`${name}: batch ${batch} × ${time}, ${threads} threads`);
  const outcome = await measureShape(name, python);
  const figures = figuresOf(outcome);
  measured.push({ outcome, figures });
  const { torch, compiled } = outcome;
  const losses = (steps: readonly { loss: number }[]): string =>
    steps.map(({ loss }) => loss.toFixed(5)).join(' ');
  console.log(`  losses, ours:           ${losses(outcome.steps)}`);
  if (torch) {
    console.log(`  losses, PyTorch:        ${losses(torch.steps)}`);
    console.log(`  PyTorch's fastest:      ${torch.attention}, ${torch.optimizer}`);
  }
  if (compiled && isSkipped(compiled)) {
    console.log(`  torch.compile: skipped: ${compiled.skipped}`);
  }
  for (const [peer, { lossError }] of Object.entries({
    PyTorch: figures.theirs ?? { lossError: 0 },
    'torch.compile': figures.compiled ?? { lossError: 0 },
  })) {
    if (lossError <= lossTolerance) continue;
    disagreements++;
    console.error(`  FAIL: losses differ from ${peer}'s by ${lossError.toExponential(1)}`);
  }
}

const rows = tableOf(measured);
console.log(formatTable(rows, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
if (flags.write) {
  await writeResult('train', {
    title: 'A training step beside PyTorch',
    facts: machineFacts(isSkipped(python) ? { PyTorch: python.skipped } : python.versions),
    rows,
    notes: [
      `Batch ${batch} × ${time}, float32, ${threads} threads. Speeds are medians (slowest–fastest) of ` +
        'steps done by turns; ratios are ours over theirs. Memory is the highest resident size of ' +
        'the process. GFLOP/s count 6 · parameters · tokens and the attention products; “of MatMul” ' +
        `compares them with a plain ${squareSize}³ product in ONNX Runtime between the steps.`,
    ],
    numbers: { batch, time, threads, shapes: measured },
  });
}
process.exit(disagreements > 0 ? 1 : 0);
