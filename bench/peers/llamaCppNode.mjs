/**
 * llama.cpp's batched decoding as node-llama-cpp offers it: one sequence per row, their iterators
 * run at once, and the package's scheduler puts the waiting tokens into one batch. Same requests as
 * llamaCppNative.cpp, in a process of its own. Plain JavaScript, because the package and its types
 * are installed only on demand.
 */
import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { getLlama } from 'node-llama-cpp';

let llama;
let model;
let context;
let loaded;
let sequences = [];

async function load(request) {
  llama ??= await getLlama({
    gpu: false,
    build: 'never',
    maxThreads: request.threads,
    logger: (level, message) => process.stderr.write(`${level}: ${message}\n`),
  });
  await context?.dispose();
  if (loaded?.file !== request.file) {
    await model?.dispose();
    model = await llama.loadModel({ modelPath: request.file });
  }
  loaded = request;
  context = await model.createContext({
    sequences: request.sequences,
    // One more than the tokens, or the context shifts at the end.
    contextSize: request.tokens + 1,
    batchSize: Math.max(32, request.sequences),
    threads: request.threads,
    flashAttention: request.flashAttention,
  });
  sequences = Array.from({ length: request.sequences }, () => context.getSequence());
  return { system: llama.systemInfo };
}

/** `tokens` tokens of one row, continuing after EOS. */
async function row(sequence, tokens, temperature, seed) {
  const out = [];
  const options = { temperature, seed, topK: 0, topP: 1, minP: 0, yieldEogToken: true };
  // The package stops at EOS by itself; the row then continues from the tokens it has.
  let next = loaded.bos;
  while (out.length < tokens) {
    for await (const token of sequence.evaluate([next], options)) {
      out.push(token);
      next = token;
      if (out.length >= tokens) break;
    }
  }
  return out;
}

async function generate({ seed, temperature, sampler }) {
  if (sampler !== 'chain') throw new Error('node-llama-cpp samples on the CPU only');
  const rows = async (tokens) => {
    await Promise.all(sequences.map((sequence) => sequence.clearHistory()));
    const start = performance.now();
    const made = await Promise.all(
      sequences.map((sequence, i) => row(sequence, tokens, temperature, seed + i)),
    );
    return { seconds: (performance.now() - start) / 1000, tokens: made };
  };
  // The first run plans the graph and starts the threads.
  await rows(1);
  return rows(loaded.tokens);
}

const commands = { load, generate };
for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, ...request } = JSON.parse(line);
  if (command === 'quit') break;
  let answer;
  try {
    answer = { id, ok: true, result: await commands[command](request) };
  } catch (error) {
    answer = { id, ok: false, error: error instanceof Error ? error.message : String(error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0);
