/**
 * What every model family must hold, whatever its blocks look like: it agrees with Hugging Face, its
 * gradients are those of its loss, it writes what it would score, and its weights survive a save.
 * A family is one call with some small configurations and the names of its oracle folders.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareWithOracle, oracleLogits } from '../../scripts/parity/compare.js';
import {
  greedyTexts,
  logitsOf,
  openAdamW,
  openDecoding,
  openScoring,
  openTestedModel,
  openTraining,
  parametersOf,
  releaseModel,
  scoresOf,
  linesOf,
  setWeight,
  valuesOf,
  vocabularyOf,
  type GradientNumbers,
  type ModelConfig,
  type TestedModel,
} from '../../scripts/parity/testedModel.js';
import { defined } from '../../src/errors.js';
import type { TokenRow } from '../../src/model/batch.js';
import { openModelFolder, type ModelFolder } from '../../src/model/folder.js';
import { modelCard } from '../../src/model/modelCard.js';
import { saveModelFolder } from '../../src/model/save.js';
import { createRandom } from '../../src/random.js';
import { testProvider } from '../support/provider.js';
import { temporaryFolder } from '../support/tinyModel.js';
import { adamWStep } from './adamWReference.js';
import {
  randomRows,
  randomTokens,
  randomWeights,
  rounded,
  wholeRow,
  writeModelFolder,
} from './randomModel.js';

export interface TestedFamily {
  /** Its `model_type`. */
  name: string;
  /**
   * Small configurations by what is special about them, at least one tied and one untied. Their
   * context holds 160 tokens or more.
   */
  configs: Record<string, ModelConfig>;
  /** Names of oracle folders, in the data that comes with the project or in `test/fixtures/oracles`. */
  oracles: readonly string[];
}

const oracleFolders = ['../../../shared/data/oracles/', '../fixtures/oracles/'].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Rounding of log-probabilities between two graphs of one model, nats. */
const rounding = 2e-5;

export function familyContract({ name, configs, oracles }: TestedFamily): void {
  describe(`${name}, beside Hugging Face, on ${testProvider}`, () => {
    for (const oracle of oracles) {
      const folder = oracleFolders.map((root) => join(root, oracle)).find(existsSync);
      const test = it.skipIf(folder === undefined);
      test(`${oracle}: logits, losses, gradients, greedy text, AdamW`, async () => {
        await agreesWithOracle(defined(folder, oracle));
      });
      test(`${oracle}: the configurations of transformers 4 and 5 mean the same`, async () => {
        const logits = (file: string): Promise<Float32Array[]> =>
          oracleLogits(defined(folder, oracle), file, testProvider);
        expect(await logits('config.v5.json')).toEqual(await logits('config.json'));
      });
    }
  });

  it(`${name} is tried tied and untied`, () => {
    const tied = new Set(Object.values(configs).map((config) => config.tie_word_embeddings));
    expect(tied).toEqual(new Set([true, false]));
  });

  describe.each(Object.entries(configs))(`${name}, %s, on ${testProvider}`, (_, config) => {
    it('has the gradients of its loss', () => gradientsAreSlopes(config));
    it('scores rows that share a line as if each were alone', () => neighboursDoNotMatter(config));
    it('moves every parameter by AdamW’s formula', () => followsAdamW(config));
    it('writes with the log-probabilities it scores', () => writesAsItScores(config));
    it('writes its first choices when greedy', () => writesFirstChoices(config));
    it.each([
      { dtype: 'F32', shards: 1 },
      { dtype: 'BF16', shards: 3 },
    ] as const)('survives a save bit for bit: $dtype in $shards', (layout) => {
      const folder = temporaryFolder();
      writeModelFolder(join(folder, 'base'), config, layout);
      return survivesSave(folder, layout.dtype);
    });
  });
}

async function agreesWithOracle(folder: string): Promise<void> {
  const findings = await compareWithOracle(folder, testProvider);
  expect(findings.length).toBeGreaterThanOrEqual(8);
  const wrong = findings.filter(({ worst, tolerance }) => !(worst <= tolerance));
  expect(wrong).toEqual([]);
}

function openRandom(config: ModelConfig): Promise<TestedModel> {
  const weights = randomWeights(config, 7);
  return openTestedModel(config, (name) => defined(weights.get(name), name), testProvider);
}

async function computeGradients(model: TestedModel, rows: TokenRow[]): Promise<GradientNumbers> {
  const training = openTraining(model, lineLength);
  const numbers = await training.compute(rows);
  await training.release();
  return numbers;
}

/** Rows of these lengths fill three lines: one alone, and twice three together. */
const packedLengths = [24, 9, 7, 5, 11, 8, 3];
const lineLength = 24;

/** Offset along a direction of one parameter whose elements are about 1; weights are about 0.3. */
const slopeStep = 2.5e-3;
/** Rounding of a mean of float32 losses, over that offset, against gradients of about 0.1. */
const slopeTolerance = 5e-3;

/**
 * The gradient g of every parameter against the loss's slope along a random direction u: a central
 * difference of fourth order of the scorer's loss, summed in double precision. The error is measured
 * in |g|, the size g·u has by chance, because g·u itself may be near zero; and so may |g| where a
 * parameter shifts all logits alike, so a small part of the norm of all gradients is the least.
 */
async function gradientsAreSlopes(config: ModelConfig): Promise<void> {
  const model = await openRandom(config);
  const rows = randomRows(31, vocabularyOf(model), packedLengths);
  const { norm } = await computeGradients(model, rows);
  const gradients = await valuesOf(model, 'gradient');
  const weights = await valuesOf(model, 'weight');
  const scorer = openScoring(model);
  const loss = async (): Promise<number> => {
    const logprobs = (await scorer.score(rows)).flatMap(({ logprob }) => [...logprob]);
    return -logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
  };
  const random = createRandom(41);
  const wrong: { names: string[]; error: number }[] = [];
  for (const names of movedTogether([...weights.keys()])) {
    const moved = names.map((name) => {
      const start = defined(weights.get(name), name);
      return {
        name,
        start,
        direction: start.map(() => random.normal()),
        gradient: defined(gradients.get(name), name),
      };
    });
    const at = async (offset: number): Promise<number> => {
      for (const { name, start, direction } of moved) {
        const values = start.map((value, i) => value + offset * defined(direction[i], name));
        await setWeight(model, name, values);
      }
      return loss();
    };
    // Directions of many parameters are longer, and the difference errs with the fourth power.
    const step = slopeStep / Math.sqrt(names.length);
    const near = (await at(step)) - (await at(-step));
    const far = (await at(2 * step)) - (await at(-2 * step));
    await at(0);
    const slope = (8 * near - far) / (12 * step);
    let [expected, square] = [0, 0];
    for (const { direction, gradient } of moved) {
      gradient.forEach((g, i) => (expected += g * defined(direction[i], 'direction')));
      gradient.forEach((g) => (square += g * g));
    }
    const error = Math.abs(slope - expected) / Math.max(Math.sqrt(square), norm / 100);
    if (!(error < slopeTolerance)) wrong.push({ names, error });
  }
  await scorer.release();
  releaseModel(model);
  expect(wrong).toEqual([]);
}

/**
 * Parameters one by one on the CPU. On a software GPU a pass takes a hundred times as long, so all
 * are moved at once there; that each is right on its own is shown there by the oracles.
 */
function movedTogether(names: string[]): string[][] {
  return testProvider === 'cpu' ? names.map((name) => [name]) : [names];
}

async function neighboursDoNotMatter(config: ModelConfig): Promise<void> {
  const model = await openRandom(config);
  const rows = randomRows(32, vocabularyOf(model), packedLengths);
  const { nll } = await computeGradients(model, rows);
  expect(linesOf(rows, lineLength)).toBe(3);
  const alone: number[] = [];
  for (const row of rows) {
    const [scores] = await scoresOf(model, [row]);
    alone.push(...defined(scores, 'scores').logprob);
  }
  releaseModel(model);
  expect(nll).toHaveLength(alone.length);
  expect(worstOf(alone, (value, i) => Math.abs(value + defined(nll[i], 'nll')))).toBeLessThan(
    rounding,
  );
}

/** One step from random weights against the formula in double precision. */
async function followsAdamW(config: ModelConfig): Promise<void> {
  const model = await openRandom(config);
  const settings = { beta1: 0.9, beta2: 0.95, epsilon: 1e-6, weightDecay: 0.3 };
  const [learningRate, clip] = [0.01, 0.5];
  await computeGradients(model, randomRows(33, vocabularyOf(model), packedLengths));
  const before = await valuesOf(model, 'weight');
  const gradients = await valuesOf(model, 'gradient');
  const adamW = await openAdamW(model, { ...settings, decayVectors: false });
  await adamW.update(1, learningRate, clip);
  await adamW.release();
  const after = await valuesOf(model, 'weight');
  releaseModel(model);
  expect([...after.keys()]).toEqual(parametersOf(config).map(({ name }) => name));
  for (const { name, role } of parametersOf(config)) {
    const decay = role === 'vector' ? 0 : settings.weightDecay;
    const expected = adamWStep(
      defined(before.get(name), name),
      defined(gradients.get(name), name),
      {
        ...settings,
        weightDecay: decay,
        learningRate,
        scale: clip,
      },
    );
    const found = defined(after.get(name), name);
    const worst = worstOf(expected, (value, i) => Math.abs(value - defined(found[i], name)));
    expect(worst, name).toBeLessThan(2e-6);
    expect(found, name).not.toEqual(before.get(name));
  }
}

/**
 * Prompts of a single token, of some, and of more than the decoder reads in one run, which takes a
 * software GPU too long.
 */
function prompts(vocabulary: number): number[][] {
  const random = createRandom(51);
  return [1, 5, testProvider === 'cpu' ? 131 : 21].map((length) =>
    randomTokens(random, length, vocabulary),
  );
}

/** What the decoder says of its tokens is what scoring them says. */
async function writesAsItScores(config: ModelConfig): Promise<void> {
  const model = await openRandom(config);
  const texts = prompts(vocabularyOf(model));
  const batch = texts.length;
  const decoder = await openDecoding(model, { batch, sampling: { temperature: 1 } });
  await decoder.prefill(texts.map((text) => text.slice(0, -1)));
  const random = createRandom(52);
  const written: number[][] = texts.map(() => []);
  let last = Int32Array.from(texts, (text) => defined(text.at(-1), 'token'));
  // The second run reads what the first has written to the cache.
  for (const steps of [7, 5]) {
    const uniforms = Float32Array.from({ length: steps * batch }, () => random.uniform());
    const run = await decoder.run(last, steps, uniforms);
    run.tokens.forEach((token, i) => texts[i % batch]?.push(token));
    run.logprobs.forEach((value, i) => written[i % batch]?.push(value));
    last = run.tokens.slice(-batch);
  }
  decoder.release();
  const scores = await scoresOf(model, texts.map(wholeRow));
  releaseModel(model);
  for (const [row, { logprob }] of scores.entries()) {
    const ours = defined(written[row], 'log-probabilities');
    const scored = logprob.slice(-ours.length);
    expect(ours).toHaveLength(12);
    const worst = worstOf(ours, (value, i) => Math.abs(value - defined(scored[i], 'score')));
    expect(worst, `row ${row}`).toBeLessThan(rounding);
  }
}

async function writesFirstChoices(config: ModelConfig): Promise<void> {
  const model = await openRandom(config);
  const texts = prompts(vocabularyOf(model));
  const written = await greedyTexts(model, texts, 12);
  const rows = texts.map((text, row) => wholeRow([...text, ...defined(written[row], 'text')]));
  const scores = await scoresOf(model, rows);
  releaseModel(model);
  for (const { greedy } of scores) {
    expect([...greedy.slice(-12)]).toEqual(new Array<number>(12).fill(1));
  }
}

/** Base → store → folder gives the base's bytes; trained weights come back as the dtype holds them. */
async function survivesSave(folder: string, dtype: 'F32' | 'BF16'): Promise<void> {
  const base = openModelFolder(join(folder, 'base'));
  const model = await openFolder(base);
  const rows = randomRows(34, vocabularyOf(model), [12, 7]);
  const same = saveAs(base, join(folder, 'same'), await valuesOf(model, 'weight'));
  expect(same.config).toEqual(base.config);
  expect(bytesOf(same)).toEqual(bytesOf(base));
  const reopened = await openFolder(same);
  expect(await logitsOf(reopened, rows)).toEqual(await logitsOf(model, rows));
  releaseModel(reopened);

  await computeGradients(model, rows);
  const adamW = await openAdamW(model, {
    ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    decayVectors: false,
  });
  await adamW.update(1, 0.1, 1);
  await adamW.release();
  const trained = await valuesOf(model, 'weight');
  releaseModel(model);
  const tuned = saveAs(base, join(folder, 'tuned'), trained);
  for (const [name, values] of trained) {
    expect(tuned.tensors.read(name), name).toEqual(rounded(values, dtype));
    expect(tuned.tensors.read(name), name).not.toEqual(base.tensors.read(name));
  }
}

function openFolder({ config, tensors }: ModelFolder): Promise<TestedModel> {
  return openTestedModel(config, (name) => tensors.read(name), testProvider);
}

function saveAs(
  source: ModelFolder,
  target: string,
  weights: ReadonlyMap<string, Float32Array>,
): ModelFolder {
  const card = modelCard({ baseModel: 'base', method: 'sft', settings: {} });
  saveModelFolder({ source, target, weights: (name) => weights.get(name), card });
  return openModelFolder(target);
}

/** Every tensor's file, dtype, shape and bytes. */
function bytesOf({ tensors }: ModelFolder): Map<string, unknown> {
  return new Map(
    tensors
      .names()
      .toSorted()
      .map((name) => [
        name,
        {
          path: tensors.pathOf(name),
          ...tensors.info(name),
          bytes: Buffer.concat([...tensors.readBytes(name)]).toString('base64'),
        },
      ]),
  );
}

/** The largest of `measure`; NaN where one is NaN, so that no bound holds. */
function worstOf(values: ArrayLike<number>, measure: (value: number, i: number) => number): number {
  return Math.max(...Array.from(values, measure));
}
