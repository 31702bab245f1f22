/**
 * A model folder of ours as `transformers` sees it: the same names, the same token ids, the same
 * logits. What others load is the product of a run, so it is checked with their code, not ours.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { PeerPython } from '../../bench/peers/python.js';
import { CfsError, assert, defined, messageOf } from '../../src/errors.js';
import { openModelFolder } from '../../src/model/folder.js';
import { loadTokenizer } from '../../src/model/tokenizer.js';
import { logitsOf as rowLogits, openTestedModel, releaseModel } from '../parity/testedModel.js';

/** The packages that a Python needs for the check. */
export const neededPackages = ['torch', 'transformers', 'tokenizers', 'safetensors'] as const;

/** Largest absolute difference of a logit between two float32 implementations. */
export const logitTolerance = 2e-4;

/** Long enough for attention over some positions, odd enough for a tokenizer. */
const texts = [
  'Once upon a time, there was a little girl named Lily.',
  '  two  spaces\nnew line\ttab, "quotes" and 123',
  'Hello, World! déjà vu — 你好 🙂 </s>',
];

export interface TransformersReport {
  versions: Record<string, string>;
  /** Names that the loader missed, did not expect, or found in another shape. */
  missing: string[];
  unexpected: string[];
  mismatched: string[];
  /** Texts whose ids differ, with both sides. */
  otherIds: string[];
  /** Worst absolute difference of a logit, over how many. */
  worst: number;
  logits: number;
}

const answerSchema = z.object({
  versions: z.record(z.string(), z.string()),
  missing: z.array(z.string()),
  unexpected: z.array(z.string()),
  mismatched: z.array(z.string()),
  ids: z.array(z.array(z.int())),
});

/** Throws what opening the folder throws, and `TRANSFORMERS_FAILED` with Python's own words. */
export async function checkTransformers(
  folder: string,
  python: PeerPython,
): Promise<TransformersReport> {
  const { answer, logits: theirs } = askTransformers(folder, python);
  const tokenizer = loadTokenizer(folder);
  const otherIds = texts.flatMap((text, i) => {
    const [ours, other] = [tokenizer.encode(text).join(' '), answer.ids[i]?.join(' ') ?? ''];
    return ours === other ? [] : [`${JSON.stringify(text)}: ${ours} here, ${other} there`];
  });
  // On their ids: a tokenizer that differs must not hide logits that agree.
  const ours = await logitsOf(folder, answer.ids);
  assert(ours.length === theirs.length, `${ours.length} logits here, ${theirs.length} there`);
  let worst = 0;
  for (const [i, logit] of ours.entries()) {
    const difference = Math.abs(logit - defined(theirs[i], 'logit'));
    // NaN must never pass.
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference;
  }
  const { versions, missing, unexpected, mismatched } = answer;
  return { versions, missing, unexpected, mismatched, otherIds, worst, logits: ours.length };
}

/** Everything that is wrong; empty when `transformers` sees what we see. */
export function faultsOf(report: TransformersReport): string[] {
  const { missing, unexpected, mismatched, otherIds, worst } = report;
  const named = Object.entries({ missing, unexpected, mismatched });
  return [
    ...named.flatMap(([what, keys]) => (keys.length > 0 ? [`${what}: ${keys.join(', ')}`] : [])),
    ...otherIds.map((text) => `other ids: ${text}`),
    ...(worst <= logitTolerance ? [] : [`logits differ by ${worst.toExponential(1)}`]),
  ];
}

const script = fileURLToPath(new URL('../checkTransformers.py', import.meta.url));

function askTransformers(folder: string, { command }: PeerPython) {
  const work = mkdtempSync(join(tmpdir(), 'cfs-transformers-'));
  try {
    const file = join(work, 'logits.f32');
    const input = `${JSON.stringify({ folder: resolve(folder), texts, logits: file })}\n`;
    const ran = spawnSync(command, [script], { input, encoding: 'utf8' });
    if (ran.error !== undefined || ran.status !== 0) {
      const why = ran.error ? `${messageOf(ran.error)}.` : ran.stderr.trim();
      throw new CfsError({
        code: 'TRANSFORMERS_FAILED',
        message: `transformers did not read the model: ${why}`,
        remedy: 'Read the last lines of its message above.',
        place: { file: folder },
      });
    }
    const lastLine = defined(ran.stdout.trim().split('\n').at(-1), 'answer');
    const answer = answerSchema.parse(JSON.parse(lastLine));
    const bytes = readFileSync(file);
    // Copied: a Buffer may begin at any byte of its pool.
    const logits = new Float32Array(Uint8Array.from(bytes).buffer);
    return { answer, logits };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Our logits of every token of every row, row after row, `[tokens, vocab]` each. */
async function logitsOf(folder: string, rows: readonly number[][]): Promise<Float32Array> {
  const { config, tensors } = openModelFolder(folder);
  const model = await openTestedModel(config, (name) => tensors.read(name), 'cpu');
  const parts: Float32Array[] = [];
  for (const row of rows) {
    const ids = Int32Array.from(row);
    const supervised = new Uint8Array(ids.length).fill(1, 1);
    parts.push(...(await rowLogits(model, [{ ids, supervised }])));
  }
  releaseModel(model);
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
