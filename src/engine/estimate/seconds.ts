/**
 * How long work takes: its arithmetic over the measured speed of the machine, the memory it walks
 * through, and what each node and file costs by itself. The constants are fitted to measurements on
 * the CPU: bench/results/{train,generate}.md and the log of a demo run on a quiet machine (two
 * cores). `npm run bench:estimate` compares them with whole runs.
 */
import type { GraphCost } from '../../graph/index.js';
import type { Architecture } from '../../model/architecture.js';
import { parameterCount } from '../../model/parameters.js';
import type { Requests, ScoringWork, TrainingWork, WritingWork } from '../work.js';
import { decodeStep, multiplied, type GraphCosts } from './graphs.js';

/** Share of a plain product's speed that products inside a graph reach (bench/results/train.md). */
const efficiency = 0.95;
/** The same for the narrow products of decoding (bench/results/generate.md, 16 to 128 rows). */
const decodingEfficiency = 0.7;
/** Bytes per second that nodes bound by memory walk through. */
const nodeBandwidth = 3.5e10;
/** Bytes per second of weights and cache that decoding reads, from memory and from the caches. */
const [memoryBandwidth, cacheBandwidth] = [1.6e10, 6e10];
/** Bytes of weights that stay in a processor's caches from token to token. */
const cachedBytes = 1e8;
/** Seconds that a node takes whatever its size. */
const perNode = 4e-6;
/** Nodes of one decoded token: those of a layer, and those around the layers with the drawing. */
const [decodedNodesPerLayer, decodedNodes] = [30, 60];
/** Seconds per parameter of one update: AdamW in one pass over the memory (bench/results/train.md). */
const perUpdate = 3e-9;
/** Seconds per byte of memory that is touched for the first time: copies of gradients, mostly. */
const perFreshByte = 3.5e-10;
/** Bytes per second of a checkpoint: written, flushed and summed up. */
const checkpointRate = 2.5e8;
/** Seconds to make a decoder, whatever the size: weights are inputs. */
const perDecoder = 0.15;
/** Seconds from the command to the model: Node.js, the runtime, the tokenizer, the provider. */
const perStart = 1;
/** Seconds to read a weight, and a token of a row; bytes of the model per second that are hashed. */
const [perWeight, perReadToken, hashRate] = [2e-9, 1e-5, 1.5e9];
/** Seconds for results and report at the end. */
const perEnd = 0.3;
/** Seconds for a scored row outside of the model: its text, its tokens, its share in the statistics. */
const perRow = 4e-4;
/** Seconds to make the session of one graph, per node. */
const perSessionNode = 4e-5;
/** Tokens of one pass of the scorer, and prompts that are answered together. */
export const [scoredAtOnce, writtenAtOnce] = [2048, 16];

export interface Speed {
  /** Of a plain matrix product. */
  flopsPerSecond: number;
}

function graphSeconds({ flops, movedBytes, nodes }: GraphCost, { flopsPerSecond }: Speed): number {
  return flops / (flopsPerSecond * efficiency) + movedBytes / nodeBandwidth + nodes * perNode;
}

export function trainingSeconds(
  work: TrainingWork,
  costs: GraphCosts,
  architecture: Architecture,
  speed: Speed,
): number {
  const parameters = parameterCount(architecture.parameters);
  const adds = work.more > 0;
  const first = costs.train(work.shape, adds, work.first);
  const next = adds ? costs.train(work.shape, true, work.next) : undefined;
  // Every pass returns a copy of all gradients.
  const copies = (1 + work.more) * 4 * parameters * perFreshByte;
  const step =
    graphSeconds(first, speed) +
    (next ? work.more * graphSeconds(next, speed) : 0) +
    copies +
    parameters * perUpdate;
  const sessions = first.nodes * perSessionNode;
  // The first step touches gradients and moments for the first time.
  const touching = 12 * parameters * perFreshByte;
  const saved = work.checkpoints * 12 * parameters;
  return sessions + touching + work.steps * step + saved / checkpointRate;
}

/** From the command to the first piece of work; the weights are read and hashed beside the rows. */
export function startingSeconds(
  { parameters }: Architecture,
  modelBytes: number,
  rowTokens: number,
): number {
  const [reading, hashing] = [perWeight * parameterCount(parameters), modelBytes / hashRate];
  return perStart + Math.max(reading, hashing, rowTokens * perReadToken);
}

/** The model's folder, the results and the report. */
export function savingSeconds(modelBytes: number): number {
  return modelBytes / checkpointRate + perEnd;
}

export function writingSeconds(
  work: readonly WritingWork[],
  architecture: Architecture,
  speed: Speed,
): number {
  return work.reduce((sum, { samples, length, batch }) => {
    // A row that ends takes up the next sample: all rows are at work until the samples run out.
    const tokens = Math.ceil(samples / batch) * length;
    return sum + perDecoder + tokens * decodeSeconds(architecture, batch, length / 2, speed);
  }, 0);
}

function decodeSeconds(
  architecture: Architecture,
  batch: number,
  position: number,
  { flopsPerSecond }: Speed,
): number {
  const { flops, readBytes } = decodeStep(architecture, batch, position);
  const nodes = architecture.layers * decodedNodesPerLayer + decodedNodes;
  const reading =
    Math.min(readBytes, cachedBytes) / cacheBandwidth +
    Math.max(0, readBytes - cachedBytes) / memoryBandwidth;
  // Reading goes on while numbers are multiplied: whichever takes longer counts.
  return Math.max(flops / (flopsPerSecond * decodingEfficiency), reading) + nodes * perNode;
}

export function evaluatingSeconds(
  work: readonly ScoringWork[],
  costs: GraphCosts,
  architecture: Architecture,
  speed: Speed,
): number {
  return work.reduce((sum, { times, ...requests }) => {
    const scoring = scoringSeconds(requests, costs, architecture, speed);
    return sum + times * (scoring + answeringSeconds(requests, architecture, speed));
  }, 0);
}

/** Rows go through in lines of widths that double, one row in each line; see `model/scoreGraph.ts`. */
export function widthOf(tokens: number, architecture: Architecture): number {
  const width = 2 ** Math.ceil(Math.log2(Math.max(tokens, 16)));
  return Math.min(width, architecture.contextLength + 1);
}

function scoringSeconds(
  { scored }: Requests,
  costs: GraphCosts,
  architecture: Architecture,
  speed: Speed,
): number {
  const widths = new Map<number, { lines: number; targets: number }>();
  for (const { tokens, targets, rows } of scored) {
    const width = widthOf(tokens, architecture);
    const sum = widths.get(width) ?? { lines: 0, targets: 0 };
    widths.set(width, { lines: sum.lines + rows, targets: sum.targets + rows * targets });
  }
  let seconds = perRow * scored.reduce((sum, { rows }) => sum + rows, 0);
  for (const [width, { lines, targets }] of widths) {
    if (lines === 0) continue;
    const passes = Math.ceil((lines * width) / scoredAtOnce);
    const size = { lines: lines / passes, targets: targets / passes, unique: 1 };
    seconds += passes * graphSeconds(costs.score(width, size), speed);
  }
  return seconds;
}

function answeringSeconds({ written }: Requests, architecture: Architecture, speed: Speed): number {
  const rows = written.reduce((sum, row) => sum + row.rows, 0);
  if (rows === 0) return 0;
  const mean = (value: (row: (typeof written)[number]) => number): number =>
    written.reduce((sum, row) => sum + row.rows * value(row), 0) / rows;
  const [prompt, tokens] = [mean((row) => row.prompt), mean((row) => row.tokens)];
  const reading = (2 * multiplied(architecture) * rows * prompt) / speed.flopsPerSecond;
  const step = decodeSeconds(architecture, writtenAtOnce, prompt + tokens / 2, speed);
  return perDecoder + reading / efficiency + Math.ceil(rows / writtenAtOnce) * tokens * step;
}
