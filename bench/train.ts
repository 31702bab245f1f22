/**
 * `npm run bench:train`: our optimizer step beside PyTorch's on the same Llama, batch and settings,
 * by turns in one run. PyTorch computes in float32 and in bfloat16 (autocast), each with its fastest
 * attention and optimizer; ours with the product's allocator, PyTorch with the
 * fastest of three. Fails (exit code
 * 1) when the losses do not agree: then they do not do the same work, and the times mean nothing.
 *
 *   npm run bench:train -- [--shapes 15M,42M,110M,350M] [--steps N] [--batches 16,4] [--time 128]
 *                          [--compile 15M] [--threads N] [--write]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.js';
import { defined } from '../src/errors.js';
import { createRandom } from '../src/random.js';
import { isSkipped, type Skipped } from './peers/lineProcess.js';
import { findPython, type PeerPython } from './peers/python.js';
import type { TorchSettings } from './peers/torchTrain.js';
import { isShapeName, parameterCount, shapes, stepFlops, type LlamaShape } from './shapes.js';
import { contest, timedSteps, type Standing } from './support/contest.js';
import { startOurs } from './support/ours.js';
import { knownModel, randomModel } from './support/places.js';
import { formatBytes, formatSpread, machineFacts, writeResult } from './support/report.js';
import { rateOf, relativeError, spreadOf, type Spread } from './support/statistics.js';
import {
  compiled,
  halfSlowdown,
  ours,
  probeTokens,
  torch,
  type Lesson,
  type TorchContestant,
} from './support/trainers.js';

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
const defaultSteps: Record<string, number> = { tiny: 4, '15M': 8, '42M': 5, '110M': 3, '350M': 2 };

/**
 * Of the losses, relative. Both sides sum in float32 in orders of their own, and AdamW's first steps
 * move every weight by the full rate whatever the size of its gradient, so that a gradient that is
 * all rounding may go either way: the difference grows with the steps (15M: 1e-6 within five). In
 * bfloat16 every product is rounded to 8 bits.
 */
const tolerances = { float32: 1e-4, bfloat16: 5e-2 };

/**
 * How many times as long as in float32 a few tokens may take in bfloat16 for it to be timed. Processors
 * without instructions for it multiply number by number, and a step would take minutes.
 */
const hopeless = 3;

const squareSize = 2048;

const { values: flags } = parseArgs({
  options: {
    shapes: { type: 'string', default: '15M,42M,110M,350M' },
    steps: { type: 'string' },
    batches: { type: 'string', default: '16,4' },
    time: { type: 'string', default: '128' },
    compile: { type: 'string', default: '15M' },
    threads: { type: 'string', default: String(availableParallelism()) },
    write: { type: 'boolean', default: false },
  },
});
const [time, threads] = [Number(flags.time), Number(flags.threads)];

/** One of PyTorch's modes: how it did, and how it was set. */
interface Mode {
  standing: Standing;
  settings: TorchSettings;
}

interface Outcome {
  shape: string;
  batch: number;
  ours: Standing;
  modes: Mode[];
  /** Why there is no `torch.compile`. */
  notCompiled?: Skipped | undefined;
  /** Of bfloat16, where it was too slow to be timed. */
  halfSlowdown?: number | undefined;
  /** Seconds of plain products of square matrices. */
  square: number[];
}

async function measure(
  name: string,
  batch: number,
  python: PeerPython | Skipped,
): Promise<Outcome> {
  const shape = shapeOf(name);
  const random = createRandom(1);
  const ids = Array.from({ length: batch * time }, () => random.below(shape.vocab_size));
  const folder = isShapeName(name) ? knownModel(name) : randomModel(name, shape);
  const lesson = { folder, batch, time, ids, threads };
  const mine = await ours(lesson);
  const { peers, ...left } = await peersFor(name, lesson, python);
  const multiplier = await startOurs();
  const square: number[] = [];
  const standings = await contest(
    [mine, ...peers],
    Number(flags.steps ?? defaultSteps[name] ?? 2),
    async () => {
      const request = { size: squareSize, repeats: 3, threads };
      square.push(...(await multiplier.request('square', request)).seconds);
    },
  );
  await multiplier.stop();
  const [own, ...others] = standings;
  const modes = others.map((standing, i) => ({
    standing,
    settings: defined(peers[i], 'peer').settings,
  }));
  return { shape: name, batch, ours: defined(own, 'ours'), modes, ...left, square };
}

function shapeOf(name: string): LlamaShape {
  const shape = known[name];
  if (shape) return shape;
  throw new Error(`no shape ${name}; there are ${Object.keys(known).join(', ')}`);
}

/** PyTorch in both precisions, and compiled in the faster one where that is asked for. */
async function peersFor(
  name: string,
  lesson: Lesson,
  python: PeerPython | Skipped,
): Promise<{ peers: TorchContestant[] } & Pick<Outcome, 'notCompiled' | 'halfSlowdown'>> {
  if (isSkipped(python)) return { peers: [] };
  const single = await torch(python, lesson, 'float32');
  const slowdown = await halfSlowdown(python, lesson);
  const timed = slowdown <= hopeless;
  const eager = timed ? [single, await torch(python, lesson, 'bfloat16')] : [single];
  const left = timed ? {} : { halfSlowdown: slowdown };
  if (!flags.compile.split(',').includes(name)) return { peers: eager, ...left };
  const [faster] = [...eager].sort((a, b) => a.expectedSeconds - b.expectedSeconds);
  const one = await compiled(python, lesson, faster ?? single);
  return isSkipped(one)
    ? { peers: eager, notCompiled: one, ...left }
    : { peers: [...eager, one], ...left };
}

interface Figures {
  /** Tokens per second. */
  rate: Spread;
  /** Share of the step, and nanoseconds per weight. */
  optimizerShare: number;
  optimizerNs: number;
}

interface ModeFigures extends Figures {
  name: string;
  /** Largest relative difference of a step's loss from ours. */
  lossError: number;
  agrees: boolean;
}

interface OutcomeFigures {
  ours: Figures;
  modes: ModeFigures[];
  /** The fastest of PyTorch's; our speed and our peak of memory over its. */
  best?: { name: string; speedRatio: number; memoryRatio: number } | undefined;
  /** Our FLOP/s, and those of the plain product. */
  flops: number;
  squareFlops: number;
}

function figuresOf(outcome: Outcome): OutcomeFigures {
  const { batch, modes, square } = outcome;
  const shape = shapeOf(outcome.shape);
  const of = (standing: Standing): Figures => {
    const steps = timedSteps(standing);
    const median = (value: (step: (typeof steps)[number]) => number): number =>
      spreadOf(steps.map(value)).median;
    const rate = rateOf(
      batch * time,
      steps.map(({ seconds }) => seconds),
    );
    return {
      rate,
      optimizerShare: median(({ optimizer, seconds }) => optimizer / seconds),
      optimizerNs: (1e9 * median(({ optimizer }) => optimizer)) / parameterCount(shape),
    };
  };
  const our = of(outcome.ours);
  const theirs = modes.map(({ standing, settings }): ModeFigures => {
    const lossError = lossDifference(outcome.ours, standing);
    const agrees = lossError <= tolerances[settings.precision];
    return { name: standing.name, ...of(standing), lossError, agrees };
  });
  const [fastest] = [...theirs.keys()].sort((a, b) => median(theirs[b]) - median(theirs[a]));
  const best = fastest === undefined ? undefined : modes[fastest]?.standing;
  return {
    ours: our,
    modes: theirs,
    best: best && {
      name: best.name,
      speedRatio: our.rate.median / median(theirs[fastest ?? 0]),
      memoryRatio: outcome.ours.peakBytes / best.peakBytes,
    },
    flops: (stepFlops(shape, batch, time).total / (batch * time)) * our.rate.median,
    squareFlops: (2 * squareSize ** 3) / spreadOf(square).median,
  };
}

function median(figures: Figures | undefined): number {
  return figures?.rate.median ?? 0;
}

/** The largest, relative, of steps with the same number. */
function lossDifference(own: Standing, other: Standing): number {
  const errors = other.turns.flatMap((turn, i) =>
    turn.map(({ loss }, step) => relativeError(own.turns[i]?.[step]?.loss ?? NaN, loss)),
  );
  return Math.max(...errors);
}

const head = [
  'shape',
  'batch',
  'ours, tokens/s',
  'PyTorch float32',
  'bfloat16',
  'torch.compile',
  'its best mode',
  'ours over it',
  'peak memory',
  'of its best mode',
  'ratio',
  'optimizer',
  'of its best mode',
  'GFLOP/s',
  'of MatMul',
];

/** One line of the table. */
function rowOf({ outcome, figures }: { outcome: Outcome; figures: OutcomeFigures }): string[] {
  const none = '–';
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const times = (ratio: number | undefined): string => (ratio ? `${ratio.toFixed(2)} ×` : none);
  const named = (name: string | undefined): ModeFigures | undefined =>
    figures.modes.find((mode) => mode.name === name);
  const rate = (one: Figures | undefined): string => (one ? formatSpread(one.rate) : none);
  const { halfSlowdown: slowdown } = outcome;
  const half = slowdown ? `${slowdown.toFixed(0)} × as slow` : rate(named('bfloat16'));
  const optimizer = (one: Figures | undefined): string =>
    one ? `${percent(one.optimizerShare)}, ${one.optimizerNs.toFixed(1)} ns` : none;
  const bestPeak = outcome.modes.find(({ standing }) => standing.name === figures.best?.name);
  return [
    outcome.shape,
    `${outcome.batch} × ${time}`,
    rate(figures.ours),
    rate(named('float32')),
    half,
    rate(named('compiled')),
    figures.best?.name ?? none,
    times(figures.best?.speedRatio),
    formatBytes(outcome.ours.peakBytes),
    bestPeak ? formatBytes(bestPeak.standing.peakBytes) : none,
    times(figures.best?.memoryRatio),
    optimizer(figures.ours),
    optimizer(named(figures.best?.name)),
    (figures.flops / 1e9).toFixed(0),
    percent(figures.flops / figures.squareFlops),
  ];
}

function show(
  { ours: own, modes, notCompiled, halfSlowdown: slowdown }: Outcome,
  figures: OutcomeFigures,
): void {
  const losses = ({ turns }: Standing): string =>
    turns.map((turn) => turn.map(({ loss }) => loss.toFixed(5)).join(' ')).join(' | ');
  console.log(`  ours: ${own.allocator}; losses ${losses(own)}`);
  for (const { standing, settings } of modes) {
    const { name, allocator } = standing;
    const { attention, optimizer } = settings;
    console.log(`  ${name}: ${attention}, ${optimizer}, ${allocator}; losses ${losses(standing)}`);
  }
  if (slowdown)
    console.log(
      `  bfloat16: ${slowdown.toFixed(1)} × as slow as float32 for ${probeTokens} tokens`,
    );
  if (notCompiled) console.log(`  torch.compile: skipped: ${notCompiled.skipped}`);
  for (const { name, agrees, lossError } of figures.modes) {
    if (agrees) continue;
    console.error(`  FAIL: losses differ from ${name}'s by ${lossError.toExponential(1)}`);
  }
}

const python = findPython(['torch', 'transformers']);
if (isSkipped(python)) console.log(`PyTorch: skipped: ${python.skipped}`);
const measured: { outcome: Outcome; figures: OutcomeFigures }[] = [];
for (const name of flags.shapes.split(',')) {
  for (const batch of flags.batches.split(',').map(Number)) {
    console.log(`${name}: batch ${batch} × ${time}, ${threads} threads`);
    const outcome = await measure(name, batch, python);
    const figures = figuresOf(outcome);
    measured.push({ outcome, figures });
    show(outcome, figures);
  }
}

const rows = [head, ...measured.map(rowOf)];
console.log(formatTable(rows, [...head.keys()].slice(2)));
if (flags.write) {
  await writeResult('train', {
    title: 'A training step beside PyTorch',
    facts: machineFacts(isSkipped(python) ? { PyTorch: python.skipped } : python.versions),
    rows,
    notes: [
      `${threads} threads; weights and ours in float32. PyTorch computes in float32 and in bfloat16 ` +
        '(autocast), each with its fastest attention and optimizer; `torch.compile` in the faster of ' +
        'the two. Ours has the allocator that CFS Studio chooses, which keeps what is freed; PyTorch has the ' +
        'fastest for it of three: that one, glibc as it is, and GLIBC_TUNABLES=glibc.malloc.hugetlb=1. Speeds are medians (slowest–fastest) of steps done by ' +
        'turns; ratios are ours over its best mode. Memory is the highest resident size of the process. ' +
        'Optimizer: its share of the step and its time per weight, where PyTorch counts clipping in. ' +
        'GFLOP/s count 6 · parameters · tokens and the attention products; “of MatMul” compares them ' +
        `with a plain ${squareSize}³ product in ONNX Runtime between the steps. Where bfloat16 takes more ` +
        `than ${hopeless} times as long as float32 for ${probeTokens} tokens, the column says how many times: the ` +
        'processor has no instructions for it.',
    ],
    numbers: { time, threads, shapes: measured },
  });
}
process.exit(measured.every(({ figures }) => figures.modes.every(({ agrees }) => agrees)) ? 0 : 1);
