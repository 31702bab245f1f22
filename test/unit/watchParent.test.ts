/** A process whose parent is gone ends, busy or not; real processes, ended with SIGKILL. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterEach, beforeAll, expect, inject, test, vi } from 'vitest';
import { temporaryFolder } from '../support/tinyModel.js';

const folder = temporaryFolder();
const busyChild = join(folder, 'busy.mjs');
const parent = join(folder, 'parent.mjs');
const started: number[] = [];

beforeAll(() => {
  const source = fileURLToPath(new URL('../support/busyChild.ts', import.meta.url));
  const options = { bundle: true, platform: 'node', format: 'esm' } as const;
  buildSync({ ...options, entryPoints: [source], outfile: busyChild });
  // Starts a program, passes a question on to it, and tells its process id once it answers.
  writeFileSync(
    parent,
    `import { fork } from 'node:child_process';
const [program, question, ...args] = process.argv.slice(2);
const child = fork(program, args);
child.once('message', () => process.send(child.pid));
if (question !== '') child.send(JSON.parse(question));`,
  );
});
afterEach(() => {
  for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The busy child of a process that is killed as soon as the child is busy. */
async function orphan(
  program: string,
  args: readonly string[] = [],
  { question = '', env = {} } = {},
): Promise<number> {
  const between = fork(parent, [program, question, ...args], { env: { ...process.env, ...env } });
  const [pid] = (await once(between, 'message')) as [number];
  started.push(pid);
  await wait(1500);
  expect(isAlive(pid)).toBe(true);
  between.kill('SIGKILL');
  await once(between, 'exit');
  return pid;
}

test('a busy process ends soon after its parent, and not before', async () => {
  const pid = await orphan(busyChild, ['0']);
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000, interval: 50 });
});

test('a process has as long as it was given, also where that was changed', async () => {
  const pid = await orphan(busyChild, ['0', '4000']);
  await wait(3000);
  expect(isAlive(pid)).toBe(true);
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 15_000, interval: 50 });
});

test('the preview process ends in the middle of a computation that never ends', async () => {
  // Inside the shipped program, once it listens, as a handler of its own might do.
  const spin = join(folder, 'spin.cjs');
  writeFileSync(
    spin,
    `const spin = () => process.send({ kind: 'event' }, () => { for (;;); });
process.on('newListener', function first(name) {
  if (name !== 'message') return;
  process.off('newListener', first);
  process.prependListener('message', spin);
});`,
  );
  const pid = await orphan(join(inject('bundles'), 'preview.js'), [], {
    question: JSON.stringify({ kind: 'request', id: 0, method: 'doctor', params: {} }),
    // Only in the last of the processes is there a question.
    env: { NODE_OPTIONS: `--require ${spin}` },
  });
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 10_000, interval: 50 });
});
