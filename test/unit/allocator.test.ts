/** The environment of processes that compute, and what they find out about it. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { computingEnvironment, type AllocatorFacts } from '../../src/allocator.js';

describe('the environment', () => {
  const tunables = (theirs?: string, platform: NodeJS.Platform = 'linux') =>
    computingEnvironment(
      { A: 'b', ...(theirs === undefined ? {} : { GLIBC_TUNABLES: theirs }) },
      platform,
    );

  it('asks for huge pages', () => {
    expect(tunables()).toEqual({ A: 'b', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
    expect(tunables('')).toEqual({ A: 'b', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
  });

  it('keeps what the user has set', () => {
    expect(tunables('glibc.malloc.arena_max=2')).toMatchObject({
      GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1:glibc.malloc.arena_max=2',
    });
    const theirs = 'glibc.malloc.arena_max=2:glibc.malloc.hugetlb=0';
    expect(tunables(theirs)).toMatchObject({ GLIBC_TUNABLES: theirs });
  });

  it('sets nothing on other systems', () => {
    expect(tunables(undefined, 'darwin')).toEqual({ A: 'b' });
    expect(tunables(undefined, 'win32')).toEqual({ A: 'b' });
  });
});

describe.runIf(process.platform === 'linux')('the measurement', () => {
  const measure = (tunables: string): AllocatorFacts => {
    const module = fileURLToPath(new URL('../../src/allocator.ts', import.meta.url));
    const code = `
      const { measureAllocator } = await import(${JSON.stringify(module)});
      console.log(JSON.stringify(measureAllocator()));`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', code];
    const env = { ...process.env, GLIBC_TUNABLES: tunables };
    return JSON.parse(
      spawnSync(process.execPath, args, { env, encoding: 'utf8' }).stdout,
    ) as AllocatorFacts;
  };

  it('tells ordinary pages from huge ones', () => {
    const enabled = '/sys/kernel/mm/transparent_hugepage/enabled';
    const policy = /\[(\w+)\]/.exec(readFileSync(enabled, 'utf8'))?.[1];
    const without = measure('glibc.malloc.hugetlb=0');
    expect(without).toMatchObject({ asked: false, hugePages: policy === 'always' });
    const asked = measure('glibc.malloc.hugetlb=1');
    expect(asked.asked).toBe(true);
    // Where the system has no huge page left it gives ordinary ones, which is nobody's mistake.
    expect(asked.hugePages).toBe(asked.faultsPerMiB < 8);
    if (asked.hugePages && policy === 'madvise') {
      expect(asked.faultsPerMiB).toBeLessThan(without.faultsPerMiB / 10);
    }
  });
});
