/** Hugging Face oracle folders: logits, losses, gradients, greedy text, AdamW, within tolerance. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareWithOracle } from '../../scripts/parity/compare.js';
import { testProvider } from '../support/provider.js';

const oracles = fileURLToPath(new URL('../../../shared/data/oracles', import.meta.url));

describe.skipIf(!existsSync(oracles))(`oracles on ${testProvider}`, () => {
  it.each(['llama', 'llama-bf16', 'llama-sharded', 'llama3rope'])('%s', async (name) => {
    const findings = await compareWithOracle(join(oracles, name), testProvider);
    expect(findings.length).toBeGreaterThanOrEqual(8);
    const wrong = findings.filter(({ worst, tolerance }) => !(worst <= tolerance));
    expect(wrong).toEqual([]);
  });
});
