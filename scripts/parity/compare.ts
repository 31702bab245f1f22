/**
 * Ours against a Hugging Face oracle folder: logits, token losses, loss, every gradient, the greedy
 * continuation, and AdamW after three steps, each with its tolerance.
 */
import { join } from 'node:path';
import { defined } from '../../src/errors.js';
import { greedy } from '../../src/generator/greedy.js';
import { Graph, linear, type Value } from '../../src/graph/index.js';
import { architectureOf, type Architecture } from '../../src/model/architecture.js';
import type { Batch } from '../../src/model/batch.js';
import { createDecoder } from '../../src/model/decoder.js';
import { sft } from '../../src/methods/sft.js';
import { openModelFolder } from '../../src/model/folder.js';
import { packRows } from '../../src/model/packing.js';
import { batchFeeds, forward } from '../../src/model/trunk.js';
import {
  floats,
  kernelsOf,
  openDevice,
  type Device,
  type ProviderName,
} from '../../src/runtime/index.js';
import { createAdamW } from '../../src/trainer/adamw.js';
import { createStore, type ParameterStore } from '../../src/trainer/parameterStore.js';
import { createGradientComputer, objectiveOf } from '../../src/trainer/step.js';
import {
  readOracle,
  type AdamWVariant,
  type Oracle,
  type Summary,
  type VariantName,
} from './oracle.js';

/** The worst deviation of one quantity. */
export interface Finding {
  quantity: string;
  worst: number;
  tolerance: number;
  /** Where the worst deviation is. */
  where: string;
}

interface Loaded {
  architecture: Architecture;
  device: Device;
  oracle: Oracle;
  batch: Batch;
  read: (name: string) => Float32Array;
}

/** Every comparison that the folder has numbers for. */
export async function compareWithOracle(
  folder: string,
  provider: ProviderName,
): Promise<Finding[]> {
  const model = openModelFolder(folder);
  const oracle = readOracle(folder);
  const longest = Math.max(...oracle.rows.map(({ ids }) => ids.length));
  const loaded: Loaded = {
    architecture: architectureOf(model.config, join(folder, 'config.json')),
    device: await openDevice({ name: provider }),
    oracle,
    batch: packRows(oracle.rows, { maxTime: longest, multiple: 1 }),
    read: (name) => model.tensors.read(name),
  };
  const findings = [
    await compareLogits(loaded),
    ...(await compareGradients(loaded)),
    await compareGreedy(loaded),
  ];
  for (const [name, variant] of Object.entries(oracle.adamW)) {
    findings.push(...(await compareAdamW(loaded, name as VariantName, variant)));
  }
  return findings;
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

async function compareLogits({
  architecture,
  device,
  oracle,
  batch,
  read,
}: Loaded): Promise<Finding> {
  const g = new Graph(kernelsOf(device.provider.name));
  const values = new Map<string, Value>();
  for (const { name, shape } of architecture.parameters) {
    values.set(name, g.initializer(name, read(name), shape));
  }
  const p = (name: string): Value => defined(values.get(name), name);
  const hidden = architecture.finish(g, p, forward(g, architecture, p, batch.time));
  g.output('logits', linear(g, hidden, p(architecture.outputWeight)));
  const session = await device.session(g.encode());
  const { ids, unique, positions, segments } = batchFeeds(batch, 1);
  const feeds = Object.fromEntries(
    Object.entries({ ids, unique, positions, segments }).filter(
      ([name, tensor]) => tensor && g.inputs.some((input) => input.name === name),
    ),
  );
  const logits = floats((await session.run(feeds as Parameters<typeof session.run>[0])).logits);
  await session.release();

  const worst = new Worst('logits', tolerances.logits);
  const { vocabSize } = architecture;
  // Packing may have put row 1 first: find each row's line by its tokens.
  const lineOf = (row: number): number => lineStart(batch, defined(oracle.rows[row], 'row').ids);
  const compare = (expected: number[], position: number, where: string): void => {
    expected.forEach((value, token) => {
      const ours = defined(logits[position * vocabSize + token], 'logit');
      worst.note(Math.abs(ours - value), `${where}, token ${token}`);
    });
  };
  oracle.expected.logits_row0.forEach((expected, t) => {
    compare(expected, lineOf(0) + t, `row 0, position ${t}`);
  });
  const last = defined(oracle.rows[1], 'row 1').ids.length - 1;
  compare(oracle.expected.logits_row1_last_real, lineOf(1) + last, `row 1, position ${last}`);
  return worst.finding();
}

function lineStart(batch: Batch, ids: Int32Array): number {
  for (let line = 0; line < batch.batch; line++) {
    const from = line * batch.time;
    if (ids.every((id, i) => batch.ids[from + i] === id)) return from;
  }
  throw new Error('A row of the oracle is in no line of the batch');
}

async function compareGradients(loaded: Loaded): Promise<Finding[]> {
  const { architecture, oracle, read, device } = loaded;
  const { expected } = oracle;
  const store = await createStore(device, architecture.parameters, read);
  const { loss, norm, nll } = await computeGradients(loaded, store);

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
  for await (const { name, data } of store.read('gradient')) {
    const summary = defined(expected.grads[name], `gradient of ${name}`);
    const scale = Math.max(summary.maxabs, 1e-12);
    forEachProbe(summary, data, (value, ours, at) => {
      values.note(Math.abs(value - ours) / scale, `${name}[${at}]`);
    });
    const [sum, square] = sumsOf(data);
    squares.note(Math.abs(square - summary.sumsq) / summary.sumsq, name);
    sums.note(Math.abs(sum - summary.sum) / Math.sqrt(data.length * summary.sumsq), name);
  }
  store.release();
  return [tokens, losses, norms, values, squares, sums].map((worst) => worst.finding());
}

/** Gradients of the mean loss over the oracle's batch; token losses in the batch's own order. */
async function computeGradients(
  { architecture, device, oracle, batch }: Loaded,
  store: ParameterStore,
) {
  const shape = { time: batch.time, maxTokens: 4096 };
  const objective = objectiveOf(sft, { lambda: 1, own: {} });
  const computer = createGradientComputer(device, architecture, store, shape, objective);
  const rows = oracle.rows;
  const step = {
    epoch: 0,
    index: 0,
    rows,
    sources: rows.map(() => 'dataset'),
    rowIndices: rows.map((_, i) => i),
  };
  const report = await computer.compute(step);
  await computer.release();
  return report;
}

async function compareGreedy({ architecture, device, oracle, read }: Loaded): Promise<Finding> {
  const store = await createStore(device, architecture.parameters, read);
  const { prompt, continuation } = oracle.expected.greedy;
  const decoder = await createDecoder(device, architecture, store.weights, {
    batch: 1,
    sampling: 'greedy',
    frozen: false,
  });
  const [written] = await greedy([prompt], {
    decoder,
    maxTokens: continuation.length,
    stopIds: [],
  });
  await decoder.release();
  store.release();
  const worst = new Worst('greedy continuation, wrong tokens', 0);
  const wrong = continuation.filter((token, i) => token !== written?.[i]).length;
  worst.note(wrong, `${written?.join(' ')} for ${continuation.join(' ')}`);
  return worst.finding();
}

async function compareAdamW(
  loaded: Loaded,
  name: VariantName,
  expected: AdamWVariant,
): Promise<Finding[]> {
  const { architecture, device, read } = loaded;
  const store = await createStore(device, architecture.parameters, read);
  const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
  const decayVectors = name !== 'noclip_trainer_groups';
  const adamW = await createAdamW(device, store, { ...settings, decayVectors });
  const losses = new Worst(`AdamW ${name}, losses`, tolerances.adamWLoss);
  const norms = new Worst(`AdamW ${name}, gradient norms`, tolerances.adamWNorm);
  for (const [i, loss] of [...expected.losses, expected.loss_after_3_steps].entries()) {
    const report = await computeGradients(loaded, store);
    losses.note(Math.abs(report.loss - loss), `before step ${i + 1}`);
    const norm = expected.grad_norms_before_clip[i];
    if (norm === undefined) break;
    norms.note(Math.abs(report.norm - norm) / norm, `step ${i + 1}`);
    const scale = name === 'clip1' ? Math.min(1, 1 / (report.norm + 1e-6)) : 1;
    await adamW.update(i + 1, 1e-3, scale);
  }
  const values = new Worst(`AdamW ${name}, parameters`, tolerances.adamWParameters);
  const deltas = new Worst(`AdamW ${name}, changes Σ²`, tolerances.adamWDeltas);
  for await (const { name: parameter, data } of store.read('weight')) {
    forEachProbe(defined(expected.params[parameter], parameter), data, (value, ours, at) => {
      values.note(Math.abs(value - ours), `${parameter}[${at}]`);
    });
    const start = read(parameter);
    const change = data.map((value, i) => value - defined(start[i], 'weight'));
    const wanted = defined(expected.deltas[parameter], parameter).sumsq;
    deltas.note(Math.abs(sumsOf(change)[1] - wanted) / wanted, parameter);
  }
  await adamW.release();
  store.release();
  return [losses, norms, values, deltas].map((worst) => worst.finding());
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
