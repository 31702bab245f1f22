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

  const ours = ['glibc.malloc.mmap_max=0', `glibc.malloc.trim_threshold=${2 ** 40}`];

  it('asks for memory to be kept', () => {
    expect(tunables()).toEqual({ A: 'b', GLIBC_TUNABLES: ours.join(':') });
    expect(tunables('')).toEqual({ A: 'b', GLIBC_TUNABLES: ours.join(':') });
  });

  it('keeps what the user has set', () => {
    expect(tunables('glibc.malloc.arena_max=2')).toMatchObject({
      GLIBC_TUNABLES: [...ours, 'glibc.malloc.arena_max=2'].join(':'),
    });
    const one = 'glibc.malloc.arena_max=2:glibc.malloc.mmap_max=9';
    expect(tunables(one)).toMatchObject({ GLIBC_TUNABLES: [ours[1], one].join(':') });
    const theirs = `${one}:glibc.malloc.trim_threshold=1`;
    expect(tunables(theirs)).toMatchObject({ GLIBC_TUNABLES: theirs });
  });

  it('sets nothing on other systems', () => {
    expect(tunables(undefined, 'darwin')).toEqual({ A: 'b' });
    expect(tunables(undefined, 'win32')).toEqual({ A: 'b' });
  });
});

describe.runIf(process.platform === 'linux')('the measurement', () => {
  const measure = (env: NodeJS.ProcessEnv): AllocatorFacts => {
    const module = fileURLToPath(new URL('../../src/allocator.ts', import.meta.url));
    const code = `
      const { measureAllocator } = await import(${JSON.stringify(module)});
      console.log(JSON.stringify(measureAllocator()));`;
    const args = ['--import', 'tsx', '--input-type=module', '-e', code];
    return JSON.parse(
      spawnSync(process.execPath, args, { env, encoding: 'utf8' }).stdout,
    ) as AllocatorFacts;
  };

  it('tells memory that is kept from memory that is given back', () => {
    const plain = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0' };
    const enabled = '/sys/kernel/mm/transparent_hugepage/enabled';
    const always = /\[always\]/.test(readFileSync(enabled, 'utf8'));
    const without = measure(plain);
    expect(without).toMatchObject({ asked: false, cheap: always });
    const asked = measure(computingEnvironment(plain));
    expect(asked).toMatchObject({ asked: true, cheap: true });
    if (!always) expect(asked.faultsPerMiB).toBeLessThan(without.faultsPerMiB / 10);
  });
});
