/**
 * The environment of the processes that we start. They compute, so they get cheap memory; they sign in
 * nowhere, so they get no secrets: a library that prints its environment when it fails, or a system that
 * keeps it with a crash, would put them into `stderr.log`, the editor's log and the terminal.
 */
import { computingEnvironment } from './allocator.js';

/** In any name, as tools disagree on how to write them (`HF_TOKEN`, `npm_config__authToken`). */
const secretName = /token|key|secret|passw|passphrase|credential/i;

export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const open = Object.entries(env).filter(([name]) => !secretName.test(name));
  return computingEnvironment(Object.fromEntries(open));
}
