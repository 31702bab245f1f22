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
/** The same for the narrow products of decoding (bench/results/generate.md, 32 to 128 rows). */
const decodingEfficiency = 0.6;
/** Bytes per second that nodes bound by memory walk through. */
const nodeBandwidth = 3.5e10;
/** Bytes of weights and cache per second that decoding reads (the same, 1 to 8 rows). */
const decodingBandwidth = 6e10;
/** Seconds that a node takes whatever its size. */
const perNode = 4e-6;
/** Nodes of one decoded token: those of a layer, and those around the layers with the drawing. */
const [decodedNodesPerLayer, decodedNodes] = [30, 60];
/** Seconds per parameter of one update: AdamW runs on one thread (bench/results/train.md). */
const perUpdate = 5.5e-9;
/** Bytes per second of a checkpoint: written, flushed and summed up. */
const checkpointRate = 2.5e8;
/** Seconds to make a decoder, per parameter that is stored in its graph, and in any case. */
const [perStored, perDecoder] = [6e-9, 0.15];
/** Seconds for a scored row outside of the model: its text, its tokens, its share in the statistics. */
const perRow = 4e-4;
/** Seconds to make the session of one graph, per node. */
const perSessionNode = 4e-5;
/** Tokens of one pass of the scorer, and prompts that are answered together. */
const [scoredAtOnce, writtenAtOnce] = [2048, 16];

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
  const first = costs.train(work.shape, false, work.first);
  const next = work.more > 0 ? costs.train(work.shape, true, work.next) : undefined;
  const step =
    graphSeconds(first, speed) +
    (next ? work.more * graphSeconds(next, speed) : 0) +
    parameters * perUpdate;
  const sessions = (first.nodes + (next?.nodes ?? 0)) * perSessionNode;
  return work.steps * step + sessions + (work.checkpoints * 12 * parameters) / checkpointRate;
}

export function writingSeconds(
  work: readonly WritingWork[],
  architecture: Architecture,
  speed: Speed,
): number {
  const making = perDecoder + perStored * parameterCount(architecture.parameters);
  return work.reduce((sum, { samples, length, batch }) => {
    // A row that ends takes up the next sample: all rows are at work until the samples run out.
    const tokens = Math.ceil(samples / batch) * length;
    return sum + making + tokens * decodeSeconds(architecture, batch, length / 2, speed);
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
  return (
    flops / (flopsPerSecond * decodingEfficiency) + readBytes / decodingBandwidth + nodes * perNode
  );
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
