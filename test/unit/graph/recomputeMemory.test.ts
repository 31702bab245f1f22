/** That recomputation saves real memory, as much as the cost of a graph says: a process each way. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { z } from 'zod';

const program = fileURLToPath(new URL('../../support/recomputeChild.ts', import.meta.url));
const report = z.object({
  beforeBytes: z.number(),
  peakBytes: z.number(),
  plannedBytes: z.number(),
  hash: z.string(),
});

function measure(how: 'kept' | 'recomputed') {
  const args = ['--import', 'tsx', program, how];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect(stderr).toBe('');
  const { beforeBytes, peakBytes, ...rest } = report.parse(JSON.parse(stdout));
  return { ...rest, takenBytes: peakBytes - beforeBytes };
}

it('takes as much less memory as planned, for the same gradients', () => {
  const [kept, recomputed] = [measure('kept'), measure('recomputed')];
  expect(recomputed.hash).toBe(kept.hash);
  expect(recomputed.plannedBytes).toBeLessThan(kept.plannedBytes / 4);
  expect(recomputed.takenBytes).toBeLessThan(kept.takenBytes / 2);
  // Both runs hold the outputs twice, so what they differ by is what was planned.
  const saved = kept.takenBytes - recomputed.takenBytes;
  const planned = kept.plannedBytes - recomputed.plannedBytes;
  expect(saved / planned).toBeGreaterThan(0.8);
  expect(saved / planned).toBeLessThan(1.2);
});
