/**
 * llama.cpp as the generation benchmark sees it, in two forms on the same library: `native`, a small
 * C++ loop without JavaScript (the fairest figure), and `node`, what node-llama-cpp gives to a
 * program like ours.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { startLineProcess } from './lineProcess.js';
import type { Skipped } from './lineProcess.js';

export type LlamaCppForm = 'native' | 'node';

export interface LlamaCppSettings {
  /** A GGUF file; see `../gguf.ts`. */
  file: string;
  /** The token every row starts from. */
  bos: number;
  /** Rows decoded together. */
  sequences: number;
  /** Tokens made for each row, after its BOS. */
  tokens: number;
  threads: number;
  flashAttention: boolean;
}

export interface LlamaCppSampling {
  /** 0 for greedy; otherwise the whole distribution, no top-k, top-p or min-p. */
  temperature: number;
  seed: number;
  /** `chain`: llama.cpp's CPU samplers, row by row. `graph`: inside the model's graph (native only). */
  sampler: 'chain' | 'graph';
}

const loadSchema = z.object({ system: z.string() });
const runSchema = z.object({
  /** Wall seconds of the decoding loop alone, after one run to warm up. */
  seconds: z.number(),
  /** `[sequences][tokens]`; rows go on after EOS. */
  tokens: z.array(z.array(z.number())),
});
export type LlamaCppRun = z.infer<typeof runSchema>;

export interface LlamaCpp {
  /** Gives llama.cpp's own line about the processor features in use. */
  load(settings: LlamaCppSettings): Promise<z.infer<typeof loadSchema>>;
  generate(sampling: LlamaCppSampling): Promise<LlamaCppRun>;
  stop(): Promise<void>;
}

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

/** Where `installLlamaCpp.sh` puts things. */
const places = {
  package: path('../node_modules/node-llama-cpp/package.json'),
  libraries: path(
    `../node_modules/@node-llama-cpp/${process.platform}-${process.arch}/bins/` +
      `${process.platform}-${process.arch}`,
  ),
  program: path('../../.cfs/peers/llamaCppNative'),
};

/** Starts one form, or says why this machine does not have it. */
export function startLlamaCpp(form: LlamaCppForm, at = places): LlamaCpp | Skipped {
  const needed = form === 'native' ? at.program : at.package;
  if (!existsSync(needed)) {
    return { skipped: `llama.cpp (${form}) is not installed: run bench/peers/installLlamaCpp.sh` };
  }
  const server =
    form === 'native'
      ? startLineProcess('llama.cpp', at.program, [at.libraries])
      : startLineProcess('node-llama-cpp', process.execPath, [path('llamaCppNode.mjs')]);
  return {
    load: (settings) => server.request('load', settings, loadSchema, 300),
    generate: (sampling) => server.request('generate', sampling, runSchema, 900),
    stop: () => server.stop(),
  };
}
