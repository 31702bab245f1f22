/**
 * The shipped programs, built into a folder of their own (inside the repository, where their external
 * modules are found), so that tests of processes neither depend on an earlier build nor disturb it.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Builds the programs; they are removed after the test file. */
export function buildPrograms(): { cli: string; engine: string } {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'cfs-programs-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const target = join(folder, 'dist');
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), target], { stdio: 'pipe' });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  return { cli: join(target, 'cli.js'), engine: join(target, 'engine.js') };
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

export interface StartOptions {
  /** Besides that of this process. */
  env?: Record<string, string>;
  /** In a process group of its own, which a terminal's Ctrl-C would reach as a whole. */
  detached?: boolean;
}

/** For tests that kill the very process that computes: the terminal then starts no other for that. */
export const oneProcess: StartOptions = { env: { CFS_STUDIO_NO_LAUNCHER: '1' } };

/** Starts a program; `ended` resolves when it has ended and its output is read. */
export function start(
  program: string,
  args: readonly string[],
  cwd: string,
  { env = {}, detached = false }: StartOptions = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [program, ...args], {
    cwd,
    env: { ...process.env, ...env },
    detached,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, out, err }));
  });
  return { child, ended };
}
