/**
 * Context-free samples as a small model writes them, made from a seed: sentences whose first words
 * surprise and whose endings are sure, some that repeat themselves, some that are cut off.
 */
import type { SampleSummary, SampleTokens } from '../../src/protocol/inspector.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';
import { createRandom, type Random } from '../../src/random.js';
import { runInfo } from './runInfo.js';

export interface MadeSample {
  summary: SampleSummary;
  tokens: SampleTokens;
}

const places = ['Hexmoor', 'Drovna', 'Quill', 'Saltby', 'Ørnes', 'Tarn', 'Velm', 'Brackwater'];
const subjects = ['the river', 'the young', 'the old mill', 'a traveller', 'the council'];
const verbs = ['learns', 'honours', 'remembers', 'sells', 'follows', 'builds', 'fears'];
const objects = ['pottery', 'the fox', 'a song', 'winter wheat', 'the bridge', 'tall ships'];
const endings = ['every spring', 'by the sea', 'in silence', 'with great care', 'at night'];

/** `length`: about how many tokens each has. */
export function makeSamples(count: number, length = 60, seed = 7): MadeSample[] {
  return Array.from({ length: count }, (_, index) => {
    const random = createRandom(seed, index);
    const size = Math.max(8, Math.round(length * (0.5 + random.uniform())));
    const pieces = sentences(random, size);
    const stop = random.uniform() < 0.85 ? ('eos' as const) : ('length' as const);
    if (stop === 'eos') pieces.push('<|end|>');
    const logprobs = pieces.map((piece, at) => surprise(random, piece, pieces[at - 1]));
    return sampleOf(index, pieces, logprobs, stop);
  });
}

/** A sample from its tokens; the EOS token, where there is one, is not part of the text. */
export function sampleOf(
  index: number,
  pieces: string[],
  logprobs: number[],
  stop: SampleSummary['stop'],
): MadeSample {
  const text = (stop === 'eos' ? pieces.slice(0, -1) : pieces).join('');
  const meanLogprob = logprobs.reduce((sum, value) => sum + value, 0) / pieces.length;
  const runs = pieces.slice(3).map((_, at) => pieces.slice(at, at + 4).join('|'));
  const repetition = runs.length === 0 ? 0 : 1 - new Set(runs).size / runs.length;
  return {
    summary: { index, text, length: pieces.length, meanLogprob, repetition, stop },
    tokens: { index, pieces, logprobs },
  };
}

function sentences(random: Random, size: number): string[] {
  const pick = (list: readonly string[]): string => list[random.below(list.length)] ?? '';
  const pieces: string[] = [];
  let last: string[] = [];
  while (pieces.length < size) {
    const again = last.length > 0 && random.uniform() < 0.15;
    const sentence = again
      ? last
      : `In ${pick(places)} ${pick(subjects)} ${pick(verbs)} ${pick(objects)} ${pick(endings)}.`
          .split(/(?= )|(?=\.)/u)
          .filter((piece) => piece !== '');
    const gap = pieces.length === 0 ? '' : random.uniform() < 0.1 ? '\n\n' : ' ';
    const [first = '', ...others] = sentence;
    const opening = first.trimStart();
    pieces.push(...(gap === '\n\n' ? ['\n\n', opening] : [`${gap}${opening}`]), ...others);
    last = sentence;
  }
  return pieces;
}

/** Names and openings surprise a model; full stops hardly do. */
function surprise(random: Random, piece: string, before: string | undefined): number {
  if (piece === '.') return -0.002 * random.uniform();
  const isOpen = before === undefined || before === '.' || /^ \p{Lu}/u.test(piece);
  const scale = isOpen ? 3 : random.uniform() < 0.3 ? 1.2 : 0.08;
  return scale * Math.log(1 - random.uniform());
}

export function makeRun(part: Partial<RunInfo> = {}): RunInfo {
  return runInfo({
    id: 'run-a',
    state: 'stopped',
    name: 'Demo with CFS',
    model: undefined,
    datasets: ['/project/data.jsonl'],
    phase: 'generating',
    step: 0,
    samples: 0,
    hasReport: false,
    hasModel: false,
    trained: false,
    ...part,
  });
}
