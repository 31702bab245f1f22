import { describe, expect, it } from 'vitest';
import { chooseProvider, fastest, probeProviders } from '../../../src/runtime/index.js';

describe('choosing a provider', () => {
  it('takes the fastest of those that work', () => {
    const slow = { name: 'cpu', works: true, milliseconds: 9 } as const;
    const quick = { name: 'webgpu', works: true, milliseconds: 2 } as const;
    const broken = { name: 'cuda', works: false, reason: 'no library' } as const;
    expect(fastest([slow, quick, broken])).toBe('webgpu');
    expect(fastest([slow, broken])).toBe('cpu');
  });

  it('probes all, says why those that fail do, and never replaces one asked for by name', async () => {
    const results = await probeProviders(1);
    expect(results.find(({ name }) => name === 'cpu')).toMatchObject({ works: true });
    for (const { works, reason, remedy } of results) {
      if (works) continue;
      expect(reason).toBeTruthy();
      expect(remedy).toBeTruthy();
    }
    // There is no machine that has both.
    const absent = process.platform === 'win32' ? 'coreml' : 'dml';
    await expect(chooseProvider(absent)).rejects.toMatchObject({
      code: 'PROVIDER_FAILED',
      place: { field: 'provider' },
    });
    expect(await chooseProvider('cpu', 3)).toEqual({ name: 'cpu', threads: 3 });
  });
});
