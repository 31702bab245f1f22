/**
 * What is asked of WebGPU beside right numbers: the whole training step stays on the device, and a
 * run there goes as on the CPU. `scripts/testWebgpu.mjs` runs it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { defined } from '../../src/errors.js';
import { cfs } from '../../src/methods/cfs.js';
import { createMixer, sourceOf } from '../../src/mixer/mixer.js';
import { storeRows } from '../../src/mixer/rowStore.js';
import type { ProviderName } from '../../src/runtime/index.js';
import { objectiveOf } from '../../src/trainer/step.js';
import { train } from '../../src/trainer/trainer.js';
import { testProvider } from '../support/provider.js';
import {
  deviation,
  randomRows,
  snapshot,
  tinyOptimizer,
  tinyTraining,
} from '../support/tinyTraining.js';

const program = fileURLToPath(new URL('../support/placementChild.ts', import.meta.url));

async function trainOn(provider: ProviderName) {
  const { device, architecture, store } = await tinyTraining(provider);
  const folder = mkdtempSync(join(tmpdir(), 'cfs-webgpu-'));
  const [losses, norms]: number[][] = [[], []];
  const locations = new Set<string>();
  const sources = [
    sourceOf('dataset', storeRows(randomRows(20, 5))),
    sourceOf('context-free', storeRows(randomRows(6, 6))),
  ];
  try {
    await train({
      device,
      architecture,
      store,
      createMixer: (cursor) =>
        createMixer({ sources, mode: 'per-batch', batchRows: 6, seed: 4, cursor }),
      objective: objectiveOf(cfs, { lambda: 0.5, own: {} }),
      shape: { time: 32, maxTokens: 64 },
      optimizer: tinyOptimizer(),
      schedule: { name: 'constant', learningRate: 0.003, warmupSteps: 0, steps: 8 },
      clipNorm: 1,
      checkpoints: { folder, every: 4, keep: 1, inputs: 'tiny' },
      evaluateAt: new Set(),
      evaluate: () => Promise.resolve(undefined),
      signal: new AbortController().signal,
      onStep: ({ loss, norm }) => {
        losses?.push(loss);
        norms?.push(norm);
        for (const { weight, gradient, state } of store.pieces) {
          for (const { tensor } of [weight, gradient, ...Object.values(state)]) {
            locations.add(tensor.location);
          }
        }
      },
      onCheckpoint: () => undefined,
      onWarning: (warning) => {
        throw warning;
      },
    });
    const weights = await snapshot(store, 'weight');
    return { losses: losses ?? [], norms: norms ?? [], locations: [...locations], weights };
  } finally {
    store.release();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.skipIf(testProvider !== 'webgpu')('training on WebGPU', () => {
  it.each(['first', 'accumulate'])('leaves no node to the CPU: %s micro-batch', (which) => {
    const { stderr, stdout, status } = spawnSync(
      process.execPath,
      ['--import', 'tsx', program, which],
      { encoding: 'utf8' },
    );
    expect(status).toBe(0);
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('placed on ['));
    expect(lines.length).toBe(1);
    expect(lines[0]).toMatch(/All nodes placed on \[WebGpuExecutionProvider\].*nodes: [1-9]\d\d/);
  });

  it('gives the losses of the CPU, with all its tensors on the device', async () => {
    const [cpu, webgpu] = [await trainOn('cpu'), await trainOn('webgpu')];
    expect(cpu.locations).toEqual(['cpu']);
    expect(webgpu.locations).toEqual(['gpu-buffer']);
    expect(webgpu.losses).toHaveLength(8);
    webgpu.losses.forEach((loss, i) => {
      expect(Math.abs(loss / defined(cpu.losses[i], 'loss') - 1)).toBeLessThan(2e-5);
    });
    webgpu.norms.forEach((norm, i) => {
      expect(Math.abs(norm / defined(cpu.norms[i], 'norm') - 1)).toBeLessThan(1e-4);
    });
    expect(deviation(webgpu.weights, cpu.weights)).toBeLessThan(1e-4);
  });
});
