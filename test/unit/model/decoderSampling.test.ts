/** The sampler inside the graph against the plain one, and its behaviour at the edges. */
import { describe, expect, it } from 'vitest';
import { Graph } from '../../../src/graph/index.js';
import { blockSize, chooseToken, type Sampling } from '../../../src/model/decoderSampling.js';
import { createRandom } from '../../../src/random.js';
import { float32, floats, kernelsOf, openDevice } from '../../../src/runtime/index.js';
import { draw, entropyOf, samplingDistribution, softmax } from '../generator/samplingReference.js';

interface Chosen {
  tokens: number[];
  logprobs: number[];
  entropies: number[];
}

async function choose(logits: number[][], uniforms: number[], sampling: Sampling): Promise<Chosen> {
  const rows = logits.length;
  const vocab = logits[0]?.length ?? 0;
  const g = new Graph(kernelsOf('cpu'));
  const choice = chooseToken(
    g,
    g.input('logits', 'float32', [rows, vocab]),
    g.input('uniform', 'float32', [rows, 1]),
    sampling,
  );
  g.output('token', choice.token);
  g.output('logprob', choice.logprob);
  g.output('entropy', choice.entropy);
  const device = await openDevice({ name: 'cpu', threads: 2 });
  const session = await device.session(g.encode());
  const outputs = await session.run({
    logits: float32(Float32Array.from(logits.flat()), [rows, vocab]),
    uniform: float32(Float32Array.from(uniforms), [rows, 1]),
  });
  await session.release();
  return {
    tokens: Array.from(outputs.token?.data as Int32Array),
    logprobs: Array.from(floats(outputs.logprob)),
    entropies: Array.from(floats(outputs.entropy)),
  };
}

const random = createRandom(11);
const rows = 64;
const logitsOf = (vocab: number, spread: number): number[][] =>
  Array.from({ length: rows }, () =>
    Array.from({ length: vocab }, () => Math.fround(spread * random.normal())),
  );
const uniforms = Array.from({ length: rows }, () => random.uniform());

describe('the sampler in the graph', () => {
  const cases: [string, number, number, Exclude<Sampling, 'greedy'>][] = [
    ['the whole vocabulary', 600, 2, { temperature: 1 }],
    ['the whole vocabulary, hot', 600, 2, { temperature: 1.7 }],
    ['the whole vocabulary, cold', 600, 2, { temperature: 0.6 }],
    ['a prime vocabulary', 97, 2, { temperature: 1 }],
    ['top-k', 600, 2, { temperature: 0.9, topK: 7 }],
    ['top-1', 600, 2, { temperature: 1, topK: 1 }],
    ['top-p in a small vocabulary', 96, 2, { temperature: 1, topP: 0.8 }],
    ['top-p of a few of many tokens', 600, 3, { temperature: 0.8, topP: 0.9 }],
    ['top-p of more tokens than are sorted at first', 600, 0.1, { temperature: 1, topP: 0.9 }],
    ['top-k and top-p', 600, 2, { temperature: 1.2, topK: 40, topP: 0.7 }],
  ];
  it.each(cases)('draws as the plain one does: %s', async (_, vocab, spread, rule) => {
    const logits = logitsOf(vocab, spread);
    const { tokens, logprobs, entropies } = await choose(logits, uniforms, rule);
    logits.forEach((row, i) => {
      const token = tokens[i] ?? -1;
      const possible = draw(samplingDistribution(row, rule), uniforms[i] ?? 0, 2e-6);
      expect(possible).toContain(token);
      const full = softmax(row);
      expect(logprobs[i]).toBeCloseTo(Math.log(full[token] ?? 0), 4);
      expect(entropies[i]).toBeCloseTo(entropyOf(full), 4);
    });
    // Enough rows were unambiguous for the comparison to mean something.
    const clear = logits.filter(
      (row, i) => draw(samplingDistribution(row, rule), uniforms[i] ?? 0, 2e-6).length === 1,
    );
    expect(clear.length).toBeGreaterThan(rows * 0.95);
  });

  it('never draws a token of probability 0, whatever the uniform number', async () => {
    const possible = [3, 201, 599];
    const row = Array.from({ length: 600 }, (_, token) => (possible.includes(token) ? 1 : -500));
    const edges = [0, 2 ** -24, 1 / 3, 0.5, 2 / 3, 1 - 2 ** -24];
    for (const rule of [{ temperature: 1 }, { temperature: 1, topP: 0.999 }]) {
      const { tokens } = await choose(
        edges.map(() => row),
        edges,
        rule,
      );
      tokens.forEach((token) => expect(possible).toContain(token));
      expect(tokens[0]).not.toBe(tokens.at(-1));
    }
  });

  it('greedily takes the likeliest token', async () => {
    const logits = logitsOf(600, 2);
    const { tokens } = await choose(logits, uniforms, 'greedy');
    expect(tokens).toEqual(logits.map((row) => row.indexOf(Math.max(...row))));
  });

  it('reports the log-probability of very unlikely tokens', async () => {
    const row = [0, -300];
    const { logprobs } = await choose([row], [0.999], { temperature: 1000 });
    expect(logprobs[0]).toBeCloseTo(-300, 3);
  });
});

describe('the block size', () => {
  it.each([
    [32000, 200],
    [128256, 334],
    [97, 97],
    [1, 1],
  ])('of a vocabulary of %i is its divisor %i', (vocab, expected) => {
    expect(blockSize(vocab)).toBe(expected);
  });
});
