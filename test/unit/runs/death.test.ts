/** Why a process is said to have ended, from what is left of it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deathOf, tellDeath } from '../../../src/runs/death.js';
import { thisProcess, type Holder } from '../../../src/runs/lockHolder.js';
import { noteEnd, readVitals, vitalsBytes, type Vitals } from '../../../src/runs/vitals.js';

const gib = 2 ** 30;
let folder: string;
let paths: { lock: string; vitals: string };
let holder: Holder;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cfs-death-'));
  paths = { lock: join(folder, 'lock'), vitals: join(folder, 'vitals.json') };
  const { pid } = spawnSync(process.execPath, ['--version']);
  holder = { ...thisProcess(), pid, started: '1' };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process that held 7.8 GiB while half of the machine's memory was free, but for `part`. */
function leave(part: Partial<Vitals> = {}): void {
  writeFileSync(paths.lock, JSON.stringify(part.holder ?? holder));
  const vitals: Vitals = {
    holder,
    time: new Date(Date.now() - 2000).toISOString(),
    resident: 7.8 * gib,
    free: 8 * gib,
    total: 16 * gib,
    ...part,
  };
  writeFileSync(paths.vitals, JSON.stringify(vitals).padEnd(vitalsBytes));
}

const seen = (signal: NodeJS.Signals | null, code: number | null = null) =>
  tellDeath(paths, { pid: holder.pid, signal, code, oomKillsBefore: undefined });

describe('a process that was seen to be killed', () => {
  it('while memory was short', () => {
    leave({ free: 0.1 * gib });
    const error = seen('SIGKILL');
    expect(error.code).toBe('PROCESS_KILLED');
    expect(error.message).toMatch(
      /^The system ended the process, most likely because memory ran out: it held 7\.8 GiB, and 102 MiB of 16 GiB were free, when it last reported, 2(\.\d)? s before\.$/,
    );
    expect(error.remedy).toContain('training.maxTokensPerMicroBatch');
    expect(deathOf(paths)?.message, 'looked at later').toBe(error.message);
  });

  it('while the memory of its container was short', () => {
    leave({ limit: 8 * gib, used: 7.9 * gib });
    expect(seen('SIGKILL').message).toContain(
      'most likely because memory ran out: it held 7.8 GiB, and 102 MiB of 8 GiB were free',
    );
  });

  it('and the kernel counted it', () => {
    // A thousand kills fewer than there can have been on this machine.
    leave({ oomKillsBefore: -1000 });
    const before = tellDeath(paths, {
      pid: holder.pid,
      signal: 'SIGKILL',
      code: null,
      oomKillsBefore: -1000,
    });
    if (process.platform !== 'linux') return;
    expect(before.message).toMatch(
      /^The system ended the process, because memory ran out: it held/,
    );
    expect(deathOf(paths)?.message).toBe(before.message);
  });

  it('by somebody else', () => {
    leave();
    expect(seen('SIGKILL').message).toBe(
      'The process was ended from outside (SIGKILL). Memory was not short: ' +
        'it held 7.8 GiB, and 8 GiB of 16 GiB were free, when it last reported, 2 s before.',
    );
  });

  it('where nothing tells how much memory is free', () => {
    leave({ free: undefined });
    expect(seen('SIGKILL').message).toBe(
      'The process was ended from outside (SIGKILL), by the system if memory ran out, or by a ' +
        'person. Its memory: it held 7.8 GiB when it last reported, 2 s before.',
    );
  });

  it('before it said anything', () => {
    expect(seen('SIGKILL').message).toContain('by the system if memory ran out, or by a person.');
    const command = { pid: 1, signal: null, code: 137, oomKillsBefore: undefined };
    expect(tellDeath(undefined, command)).toMatchObject({
      code: 'PROCESS_KILLED',
      remedy: 'Try again.',
    });
  });
});

describe('a process that crashed', () => {
  it.each([
    ['SIGSEGV', null, 'SIGSEGV'],
    [null, 3, 'exit code 3'],
  ] as const)('with %s %s', (signal, code, how) => {
    leave();
    expect(seen(signal, code)).toMatchObject({ code: 'ENGINE_DIED' });
    expect(deathOf(paths)?.message).toBe(`The process ended unexpectedly (${how}).`);
  });
});

describe('a run that is looked at later', () => {
  it('says nothing while its process lives, or where it ended by itself', () => {
    expect(deathOf(paths)).toBeUndefined();
    const { pid, started } = thisProcess();
    leave({ holder: { ...holder, pid, started } });
    expect(deathOf(paths)).toBeUndefined();
  });

  it('says nothing where people ended it', () => {
    leave({ free: 0 });
    noteEnd(paths.vitals, holder.pid, { signal: 'SIGINT', code: null, asked: true });
    expect(deathOf(paths)).toBeUndefined();
  });

  it('goes by what its process last said where nobody saw it end', () => {
    leave({ free: 0 });
    expect(deathOf(paths)?.message).toMatch(
      /most likely because memory ran out: .*last reported\.$/,
    );
    leave();
    expect(deathOf(paths)?.message).toMatch(
      /^The process \d+ on .* ended without a word: it was killed, or its terminal was closed\. Memory was not short/,
    );
  });

  it('tells that the machine went down', () => {
    if (process.platform !== 'linux') return;
    const past = { ...holder, boot: 'another boot' };
    leave({ holder: past, free: 0 });
    // Before this start of the machine.
    const beat = Date.now() / 1000 - uptime() - 60;
    utimesSync(paths.lock, beat, beat);
    expect(deathOf(paths)?.message).toBe(
      'The machine went down or was restarted while the process was running.',
    );
  });

  it('does not go by what another process said', () => {
    leave({ free: 0 });
    writeFileSync(paths.lock, JSON.stringify({ ...holder, started: '2' }));
    expect(deathOf(paths)?.message).toMatch(/it was killed, or its terminal was closed\.$/);
    noteEnd(paths.vitals, holder.pid + 1, { signal: 'SIGKILL', code: null, asked: false });
    expect(readVitals(paths.vitals)?.end).toBeUndefined();
  });
});
