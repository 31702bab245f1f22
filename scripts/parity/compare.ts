/**
 * Ours against a Hugging Face oracle folder: logits, token losses, loss, every gradient, the greedy
 * continuation, and AdamW after three steps, each with its tolerance.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { defined } from '../../src/errors.js';
import { openModelFolder } from '../../src/model/folder.js';
import type { ProviderName } from '../../src/runtime/index.js';
import {
  readOracle,
  type AdamWVariant,
  type Oracle,
  type Summary,
  type VariantName,
} from './oracle.js';
import {
  greedyTexts,
  logitsOf,
  openAdamW,
  openTestedModel,
  openTraining,
  releaseModel,
  valuesOf,
  vocabularyOf,
  type TestedModel,
} from './testedModel.js';

/** The worst deviation of one quantity. */
export interface Finding {
  quantity: string;
  worst: number;
  tolerance: number;
  /** Where the worst deviation is. */
  where: string;
}

interface Loaded {
  model: TestedModel;
  oracle: Oracle;
  /** A fresh model with the folder's weights. */
  open: () => Promise<TestedModel>;
  read: (name: string) => Float32Array;
}

/** Every comparison that the folder has numbers for. */
export async function compareWithOracle(
  folder: string,
  provider: ProviderName,
): Promise<Finding[]> {
  const { config, tensors } = openModelFolder(folder);
  const read = (name: string): Float32Array => tensors.read(name);
  const open = (): Promise<TestedModel> => openTestedModel(config, read, provider);
  const model = await open();
  const loaded: Loaded = { model, oracle: readOracle(folder), open, read };
  const findings = [
    await compareLogits(loaded),
    ...(await compareGradients(loaded)),
    await compareGreedy(loaded),
  ];
  for (const [name, variant] of Object.entries(loaded.oracle.adamW)) {
    findings.push(...(await compareAdamW(loaded, name as VariantName, variant)));
  }
  releaseModel(model);
  return findings;
}

/**
 * The logits of the oracle's rows, row after row, under the given spelling of the configuration:
 * `config.json` of transformers 4 or `config.v5.json` of transformers 5.
 */
export async function oracleLogits(
  folder: string,
  configFile: string,
  provider: ProviderName,
): Promise<Float32Array[]> {
  const { tensors } = openModelFolder(folder);
  const text = readFileSync(join(folder, configFile), 'utf8');
  const config = z.looseObject({}).parse(JSON.parse(text));
  const model = await openTestedModel(config, (name) => tensors.read(name), provider);
  const logits = await logitsOf(model, readOracle(folder).rows);
  releaseModel(model);
  return logits;
}

/** Tolerances of `oracles/README.md` for a float32 implementation. */
const tolerances = {
  logits: 2e-5,
  tokenNll: 1e-5,
  loss: 5e-6,
  gradients: 2e-5,
  gradientSquares: 5e-5,
  gradientSums: 1e-5,
  adamWLoss: 1e-5,
  adamWNorm: 5e-6,
  adamWParameters: 2e-5,
  adamWDeltas: 5e-4,
};

class Worst {
  private worst = 0;
  private where = '';
  constructor(
    private readonly quantity: string,
    private readonly tolerance: number,
  ) {}
  note(deviation: number, where: string): void {
    // NaN must never pass.
    if (deviation <= this.worst) return;
    this.worst = Number.isNaN(deviation) ? Infinity : deviation;
    this.where = where;
  }
  finding(): Finding {
    const { quantity, worst, tolerance, where } = this;
    return { quantity, worst, tolerance, where };
  }
}

async function compareLogits({ model, oracle: { expected, rows } }: Loaded): Promise<Finding> {
  const logits = await logitsOf(model, rows);
  const vocabulary = vocabularyOf(model);
  const worst = new Worst('logits', tolerances.logits);
  const compare = (wanted: number[], row: number, position: number): void => {
    wanted.forEach((value, token) => {
      const ours = defined(logits[row]?.[position * vocabulary + token], 'logit');
      worst.note(Math.abs(ours - value), `row ${row}, position ${position}, token ${token}`);
    });
  };
  expected.logits_row0.forEach((wanted, position) => compare(wanted, 0, position));
  compare(expected.logits_row1_last_real, 1, defined(rows[1], 'row 1').ids.length - 1);
  return worst.finding();
}

async function compareGradients({ model, oracle }: Loaded): Promise<Finding[]> {
  const { expected } = oracle;
  const training = openTraining(model, longestRow(oracle));
  const { loss, norm, nll } = await training.compute(oracle.rows);
  await training.release();

  const tokens = new Worst('token losses', tolerances.tokenNll);
  const wanted = expected.token_nll.flat().filter((value) => value !== null);
  wanted.forEach((value, i) =>
    tokens.note(Math.abs(value - defined(nll[i], 'nll')), `target ${i}`),
  );
  const losses = new Worst('loss', tolerances.loss);
  losses.note(Math.abs(loss - expected.loss), 'mean over targets');
  const norms = new Worst('gradient norm', tolerances.gradientSquares);
  norms.note(Math.abs(norm - expected.grad_norm) / expected.grad_norm, 'all parameters');

  const values = new Worst('gradients', tolerances.gradients);
  const squares = new Worst('gradients, Σ²', tolerances.gradientSquares);
  const sums = new Worst('gradients, Σ', tolerances.gradientSums);
  const gradients = await valuesOf(model, 'gradient');
  for (const name of new Set([...gradients.keys(), ...Object.keys(expected.grads)])) {
    const data = defined(gradients.get(name), `our gradient of ${name}`);
    const summary = defined(expected.grads[name], `gradient of ${name}`);
    const scale = Math.max(summary.maxabs, 1e-12);
    forEachProbe(summary, data, (value, ours, at) => {
      values.note(Math.abs(value - ours) / scale, `${name}[${at}]`);
    });
    const [sum, square] = sumsOf(data);
    squares.note(Math.abs(square - summary.sumsq) / summary.sumsq, name);
    sums.note(Math.abs(sum - summary.sum) / Math.sqrt(data.length * summary.sumsq), name);
  }
  return [tokens, losses, norms, values, squares, sums].map((worst) => worst.finding());
}

async function compareGreedy({ model, oracle }: Loaded): Promise<Finding> {
  const { prompt, continuation } = oracle.expected.greedy;
  const [written] = await greedyTexts(model, [prompt], continuation.length);
  const worst = new Worst('greedy continuation, wrong tokens', 0);
  const wrong = continuation.filter((token, i) => token !== written?.[i]).length;
  worst.note(wrong, `${written?.join(' ')} for ${continuation.join(' ')}`);
  return worst.finding();
}

/** Three steps from the folder's weights. */
async function compareAdamW(
  { oracle, open, read }: Loaded,
  name: VariantName,
  expected: AdamWVariant,
): Promise<Finding[]> {
  const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
  const decayVectors = name !== 'noclip_trainer_groups';
  const trained = await open();
  const adamW = await openAdamW(trained, { ...settings, decayVectors });
  const training = openTraining(trained, longestRow(oracle));
  const losses = new Worst(`AdamW ${name}, losses`, tolerances.adamWLoss);
  const norms = new Worst(`AdamW ${name}, gradient norms`, tolerances.adamWNorm);
  for (const [i, loss] of [...expected.losses, expected.loss_after_3_steps].entries()) {
    const report = await training.compute(oracle.rows);
    losses.note(Math.abs(report.loss - loss), `before step ${i + 1}`);
    const norm = expected.grad_norms_before_clip[i];
    if (norm === undefined) break;
    norms.note(Math.abs(report.norm - norm) / norm, `step ${i + 1}`);
    const scale = name === 'clip1' ? Math.min(1, 1 / (report.norm + 1e-6)) : 1;
    await adamW.update(i + 1, 1e-3, scale);
  }
  await training.release();
  await adamW.release();

  const values = new Worst(`AdamW ${name}, parameters`, tolerances.adamWParameters);
  const deltas = new Worst(`AdamW ${name}, changes Σ²`, tolerances.adamWDeltas);
  const weights = await valuesOf(trained, 'weight');
  releaseModel(trained);
  for (const [parameter, summary] of Object.entries(expected.params)) {
    const data = defined(weights.get(parameter), parameter);
    forEachProbe(summary, data, (value, ours, at) => {
      values.note(Math.abs(value - ours), `${parameter}[${at}]`);
    });
    const start = read(parameter);
    const change = data.map((value, i) => value - defined(start[i], 'weight'));
    const wanted = defined(expected.deltas[parameter], parameter).sumsq;
    deltas.note(Math.abs(sumsOf(change)[1] - wanted) / wanted, parameter);
  }
  return [losses, norms, values, deltas].map((worst) => worst.finding());
}

function longestRow({ rows }: Oracle): number {
  return Math.max(...rows.map(({ ids }) => ids.length));
}

/** Calls `visit` for every element that a summary gives, with ours and its flat index. */
function forEachProbe(
  summary: Summary,
  data: Float32Array,
  visit: (expected: number, ours: number, at: number) => void,
): void {
  const at = (i: number): number => defined(data[i], 'element');
  summary.first8.forEach((value, i) => visit(value, at(i), i));
  summary.probe.forEach((value, i) => {
    const index = Math.floor(((2 * i + 1) * data.length) / 16);
    visit(value, at(index), index);
  });
  visit(
    summary.maxabs,
    data.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    -1,
  );
}

/** Σ and Σ² in double precision. */
function sumsOf(data: Float32Array): [number, number] {
  let [sum, square] = [0, 0];
  for (const value of data) {
    sum += value;
    square += value * value;
  }
  return [sum, square];
}
