/** What this machine has and how fast it multiplies: the measured side of an estimate. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Graph, matmul } from '../../graph/index.js';
import { createRandom } from '../../random.js';
import { containerMemory } from './cgroup.js';
import { float32, kernelsOf, openDevice, type Provider } from '../../runtime/index.js';
import { readTextFile } from '../../reading.js';

/** Side of the square matrices: large enough for the full speed of a CPU, small enough for a blink. */
const side = 1024;
/** Measuring takes so many milliseconds: a processor takes a moment to speed up. */
const stretch = 120;

/**
 * Floating-point operations per second of a plain matrix product on this provider, the fastest of a
 * few; takes 0.2 to 0.3 s. Throws `SESSION_FAILED`.
 */
export async function measureSpeed(provider: Provider): Promise<number> {
  const device = await openDevice(provider);
  const g = new Graph(kernelsOf(provider.name));
  const matrix = (name: string) => g.input(name, 'float32', [side, side]);
  // One number comes back, so that a GPU is not timed by the copy.
  const product = matmul(g, matrix('a'), matrix('b'));
  g.output('largest', g.emit('ReduceMax', [product], [], { attributes: { keepdims: 0 } }));
  const session = await device.session(g.encode('speed'));
  const random = createRandom(1);
  const values = new Float32Array(side * side).map(() => random.uniform());
  const feeds = { a: float32(values, [side, side]), b: float32(values, [side, side]) };
  await session.run(feeds);
  let best = Infinity;
  for (const start = performance.now(); performance.now() - start < stretch;) {
    const began = performance.now();
    await session.run(feeds);
    best = Math.min(best, performance.now() - began);
  }
  await session.release();
  return (2 * side ** 3) / (best / 1000);
}

/**
 * Bytes that a process can have without pushing others out: what is free on the machine and in its
 * container, and what it holds already.
 */
export function availableMemory(held = 0): number {
  const free = Math.min(systemMemory(), containerMemory() ?? Infinity);
  const limit = process.constrainedMemory();
  return Math.min(free + held, totalmem(), limit > 0 ? limit : Infinity);
}

/** Bytes that this process holds by itself; its file pages count as free already. */
export function heldMemory(): number {
  const file = '/proc/self/status';
  const found = existsSync(file) && /^RssAnon:\s+(\d+) kB$/m.exec(readTextFile(file));
  return found ? Number(found[1]) * 1024 : process.memoryUsage().rss;
}

/** Whether a GPU uses the machine's own memory, as on Apple silicon. */
export const sharesMemory = process.platform === 'darwin';

/**
 * Bytes of a GPU's own memory that are free; undefined where nothing tells it: ONNX Runtime does not,
 * and neither does WebGPU.
 */
export async function deviceMemory(): Promise<number | undefined> {
  if (sharesMemory) return availableMemory();
  const free = await askNvidia();
  return free ?? readAmd();
}

async function askNvidia(): Promise<number | undefined> {
  const query = ['--query-gpu=memory.free', '--format=csv,noheader,nounits'];
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 5000 });
    const mebibytes = Number.parseInt(stdout, 10);
    return Number.isNaN(mebibytes) ? undefined : mebibytes * 2 ** 20;
  } catch {
    // No such driver here: that is an answer too.
    return undefined;
  }
}

/** What the Linux driver of AMD cards says in `/sys`. */
function readAmd(): number | undefined {
  const cards = '/sys/class/drm';
  if (!existsSync(cards)) return undefined;
  for (const card of readdirSync(cards)) {
    const [total, used] = ['total', 'used'].map((which) =>
      join(cards, card, 'device', `mem_info_vram_${which}`),
    );
    if (!total || !used || !existsSync(total) || !existsSync(used)) continue;
    return Number(readTextFile(total)) - Number(readTextFile(used));
  }
  return undefined;
}

function systemMemory(): number {
  const file = '/proc/meminfo';
  if (existsSync(file)) {
    const found = /^MemAvailable:\s+(\d+) kB$/m.exec(readTextFile(file));
    if (found) return Number(found[1]) * 1024;
  }
  const free = process.availableMemory();
  // macOS counts only what was never used as free, and hands out far more.
  return process.platform === 'darwin' ? Math.max(free, totalmem() / 2) : free;
}

/** Free bytes on the disk where `folder` is, or will be. */
export async function freeDisk(folder: string): Promise<number> {
  if (!existsSync(folder) && dirname(folder) !== folder) return freeDisk(dirname(folder));
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
