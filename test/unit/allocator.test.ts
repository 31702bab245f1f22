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

/** What a process with this environment prints, where `module` is all of `allocator.ts`. */
function ask(env: NodeJS.ProcessEnv, code: string): unknown {
  const file = fileURLToPath(new URL('../../src/allocator.ts', import.meta.url));
  const whole = `const module = await import(${JSON.stringify(file)}); ${code}`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', whole];
  return JSON.parse(spawnSync(process.execPath, args, { env, encoding: 'utf8' }).stdout);
}

describe.runIf(process.platform === 'linux')('the measurement', () => {
  const measure = (env: NodeJS.ProcessEnv): AllocatorFacts =>
    ask(env, 'console.log(JSON.stringify(module.measureAllocator()));') as AllocatorFacts;

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

describe.runIf(process.platform === 'linux')('memory that is reserved', () => {
  const faultsAfter = (env: NodeJS.ProcessEnv): { reserving: number; using: number } =>
    ask(
      env,
      `
      const faults = () => process.resourceUsage().minorPageFault;
      const mebibyte = 2 ** 20;
      const before = faults();
      await module.reserve(128 * mebibyte);
      const after = faults();
      // Everything that is kept has to be cleared, so it is touched as a whole.
      const arrays = Array.from({ length: 7 }, () => new Uint8Array(16 * mebibyte).fill(1));
      console.log(JSON.stringify({ reserving: after - before, using: faults() - after }));`,
    ) as { reserving: number; using: number };
  const plain = { ...process.env, GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0' };
  const pages = (128 * 2 ** 20) / 4096;

  it('costs no page fault when it is asked for', () => {
    const { reserving, using } = faultsAfter(computingEnvironment(plain));
    expect(reserving).toBeGreaterThan(0.9 * pages);
    expect(using).toBeLessThan(pages / 10);
  });

  it('is not taken by a process that would give it back', () => {
    const { reserving } = faultsAfter(plain);
    expect(reserving).toBeLessThan(pages / 4);
  });
});
