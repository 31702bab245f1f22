/** Our side of a benchmark, bundled as the product is, in a plain Node process. */
import { join } from 'node:path';
import { build } from 'esbuild';
import type { z } from 'zod';
import { startLineProcess } from '../peers/lineProcess.js';
import { cacheFolder, root } from './places.js';
import { answers, type Answers, type Command, type Requests } from './requests.js';

export interface Ours {
  request<K extends Command>(command: K, fields: Requests[K]): Promise<Answers[K]>;
  stop(): Promise<void>;
}

/** The longest answer is a step of a large model. */
const timeoutSeconds = 900;

/** `checkout`: the folder of the version that is measured. */
export async function startOurs(
  checkout = root,
  environment: Readonly<Record<string, string>> = {},
): Promise<Ours> {
  const program = await bundleOurs('worker', checkout);
  const worker = startLineProcess('CFS Studio', process.execPath, [program], environment);
  return {
    request: <K extends Command>(command: K, fields: Requests[K]) => {
      const schemas: { [C in Command]: z.ZodType<Answers[C]> } = answers;
      return worker.request(command, fields, schemas[command], timeoutSeconds);
    },
    stop: () => worker.stop(),
  };
}

/** Bundles a program of `bench/support`; gives its file. */
export async function bundleOurs(name: 'worker' | 'starter', checkout = root): Promise<string> {
  // Here for all, so that all load the packages of this checkout.
  const file = checkout === root ? name : `other${name[0]?.toUpperCase()}${name.slice(1)}`;
  const program = join(cacheFolder, `${file}.mjs`);
  await build({
    absWorkingDir: checkout,
    entryPoints: [`bench/support/${name}.ts`],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  return program;
}
