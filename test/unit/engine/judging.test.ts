/** The check of the BOS token: what it writes is bounded by the samples, and it can be switched off. */
import { expect, it } from 'vitest';
import { samplesWork } from '../../../src/engine/sampling.js';
import type { Model } from '../../../src/engine/model.js';
import { ofKind, type WritingWork } from '../../../src/engine/work.js';
import { runConfigSchema } from '../../../src/runs/configSchema.js';

const candidate = (id: number) => ({ id, token: String(id), reason: '' });
const model = {
  architecture: { contextLength: 512 },
  bos: { candidates: [candidate(1), candidate(2), candidate(3)] },
} as unknown as Model;

function settings(changes: object = {}) {
  const base = { name: 'a', model: 'm', dataset: 'd', generation: changes };
  return runConfigSchema.parse(base).generation;
}

/** What comes after the samples themselves. */
function judgingWork(...of: Parameters<typeof samplesWork>): WritingWork[] {
  return ofKind(samplesWork(...of), 'write').slice(1);
}

it.each([4, 8, 24, 100])('writes no more tokens than %i samples', (samples) => {
  const work = judgingWork(model, settings(), samples);
  expect(work).toHaveLength(1);
  for (const { samples: count, length } of work) {
    expect(count * length).toBeLessThanOrEqual(samples * 256);
    // Of two candidates, as many each.
    expect(count).toBe(2 * Math.min(24, samples));
  }
});

it('is left out where the samples are too few to tell, and where it is switched off', () => {
  expect(judgingWork(model, settings(), 3)).toEqual([]);
  expect(judgingWork(model, settings({ checkBos: false }), 100)).toEqual([]);
});

it('shortens to what short samples afford', () => {
  const [work] = judgingWork(model, settings({ maxLength: 16 }), 40);
  expect(work).toMatchObject({ length: 16, samples: 40 });
});
