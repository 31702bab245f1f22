/** Who gets the lock of a run: processes of this machine, of another, of a container, and many at once. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir, uptime } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectError } from '../../support/expectError.js';
import { startHeartbeat } from '../../../src/runs/heartbeat.js';
import { isLocked, takeLock } from '../../../src/runs/lock.js';
import { thisProcess, type Holder } from '../../../src/runs/lockHolder.js';
import { beginVitals, readVitals, vitalsBytes } from '../../../src/runs/vitals.js';
import { findMount } from '../../../src/runs/mount.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cfs-lock-'));
  file = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The lock of a process like this one but for `part`, that was silent for so many seconds. */
function leaveLock(part: Partial<Holder>, silentSeconds: number): void {
  writeFileSync(file, JSON.stringify({ ...thisProcess(), ...part }));
  silence(silentSeconds);
}

function silence(seconds: number): void {
  const beat = Date.now() / 1000 - seconds;
  utimesSync(file, beat, beat);
}

const elsewhere = { host: 'far-away', boot: 'another boot', pid: 4321 };

describe('a process of another machine', () => {
  it('keeps its lock while it gives signs of life', async () => {
    leaveLock(elsewhere, 90);
    expect(isLocked(file)).toBe(true);
    const { message, remedy } = await expectError('RUN_LOCKED', () => takeLock(file));
    expect(message).toMatch(/process 4321 on far-away; its last sign of life was 1 min 3\d s ago/);
    expect(remedy).toContain('silent for 2 minutes');
    expect(readdirSync(folder)).toEqual(['lock']);
  });

  it('loses it after a long silence, and the log says so', () => {
    leaveLock(elsewhere, 300);
    expect(isLocked(file)).toBe(false);
    const lock = takeLock(file);
    expect(lock.takenOver).toMatchObject({ code: 'RUN_TAKEN_OVER' });
    expect(lock.takenOver?.message).toBe(
      'This run was taken over from process 4321 on far-away, ' +
        'which had given no sign of life for 5 min 0 s.',
    );
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject(thisProcess());
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('loses it also where its last sign of life is dated ahead, by a clock that was wrong', async () => {
    leaveLock(elsewhere, -90);
    const { message } = await expectError('RUN_LOCKED', () => takeLock(file));
    expect(message).toMatch(/its last sign of life was 1 min (29|30) s ahead\.$/);
    leaveLock(elsewhere, -86_400);
    expect(isLocked(file)).toBe(false);
    expect(takeLock(file).takenOver?.message).toMatch(
      /whose last sign of life was dated (24 h 0|23 h 59) min ahead: a clock was wrong\.$/,
    );
  });

  it('keeps it for so long also where it left half a lock', async () => {
    writeFileSync(file, '{"host":"far');
    expect(isLocked(file)).toBe(true);
    await expectError('RUN_LOCKED', () => takeLock(file));
    silence(300);
    expect(takeLock(file).takenOver?.message).toContain('a process that left no name');
  });
});

describe.runIf(process.platform === 'linux')('a process of this machine', () => {
  it('that ended with an earlier start of the machine holds nothing', () => {
    leaveLock({ boot: 'another boot' }, uptime() + 60);
    const lock = takeLock(file);
    expect(lock.takenOver).toBeUndefined();
    lock.release();
  });

  it('is told from one of a machine with the same name', async () => {
    leaveLock({ boot: 'another boot' }, 5);
    await expectError('RUN_LOCKED', () => takeLock(file));
  });

  it('whose id was given to another one holds nothing, however fresh', () => {
    leaveLock({ started: '1' }, 0);
    expect(isLocked(file)).toBe(false);
    expect(takeLock(file).takenOver).toBeUndefined();
  });

  it('that ended holds nothing, though its parent never asks how it ended', async () => {
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60']);
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      const state = (): string | undefined =>
        readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.charAt(0);
      await expect.poll(state).toBe('Z');
      leaveLock({ pid, started: startOf(pid) }, 0);
      expect(isLocked(file)).toBe(false);
      expect(takeLock(file).takenOver).toBeUndefined();
    } finally {
      parent.kill();
    }
  });

  it('lives, however silent', async () => {
    leaveLock({ pid: process.ppid, started: startOf(process.ppid) }, 3600);
    const { remedy } = await expectError('RUN_LOCKED', () => takeLock(file));
    expect(remedy).toBe('Stop it, or wait until it ends.');
  });

  it('in another container is known by its heartbeat alone', async () => {
    // The same id here is that of a living process, there of any.
    leaveLock({ namespace: 'pid:[1]' }, 30);
    await expectError('RUN_LOCKED', () => takeLock(file));
    leaveLock({ namespace: 'pid:[1]' }, 300);
    expect(takeLock(file).takenOver).toBeDefined();
  });
});

describe.runIf(process.platform === 'linux')('a process that has ended', () => {
  it('holds nothing, also while its parent has not been told', async () => {
    // `sleep` has become what the shell was, and does not ask how its child ended.
    const parent = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60']);
    try {
      const [line] = (await once(parent.stdout, 'data')) as [Buffer];
      const pid = Number(line.toString());
      leaveLock({ pid, started: startOf(pid) }, 0);
      expect(isLocked(file)).toBe(true);
      await expect.poll(() => isLocked(file), { timeout: 20_000 }).toBe(false);
      expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z ');
    } finally {
      parent.kill('SIGKILL');
    }
  });
});

function startOf(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[19] ?? '';
}

describe.runIf(process.platform === 'linux')('something else in the place of a lock', () => {
  it.each<[string, () => void]>([
    ['a folder', () => mkdirSync(file)],
    ['a link to nothing', () => symlinkSync('/no/such/file', file)],
    ['a link to a file', () => symlinkSync(process.execPath, file)],
    ['a device', () => symlinkSync('/dev/null', file)],
  ])('is named, and never read: %s', async (_, put) => {
    const lock = takeLock(file);
    rmSync(file);
    put();
    for (const ask of [() => isLocked(file), () => takeLock(file), () => lock.check()]) {
      const { message, place } = await expectError('READ_FAILED', ask);
      expect(message).toContain('no file where the lock');
      expect(place).toEqual({ file });
    }
    lock.release();
    expect(readdirSync(folder)).toEqual(['lock']);
  });
});

/** As on macOS, where there is no `/proc`. */
describe.runIf(process.platform === 'linux')('a machine that `ps` is asked of', () => {
  const { TZ } = process.env;
  beforeEach(() => void vi.spyOn(process, 'platform', 'get').mockReturnValue('freebsd'));
  afterEach(() => {
    vi.restoreAllMocks();
    process.env.TZ = TZ;
    if (TZ === undefined) delete process.env.TZ;
  });

  it('knows a process again in another time zone', async () => {
    process.env.TZ = 'Asia/Tokyo';
    const lock = takeLock(file);
    process.env.TZ = 'America/New_York';
    expect(isLocked(file)).toBe(true);
    await expectError('RUN_LOCKED', () => takeLock(file));
    lock.release();
  });
});

describe('a lock that is lost', () => {
  it('stops its holder, and is not given back by it', async () => {
    const lock = takeLock(file);
    lock.check();
    leaveLock(elsewhere, 0);
    const { message } = await expectError('RUN_LOCK_LOST', () => lock.check());
    expect(message).toContain('taken over by process 4321 on far-away');
    lock.release();
    expect(existsSync(file)).toBe(true);
  });

  it('stops its holder also when it is merely gone', async () => {
    const lock = takeLock(file);
    rmSync(file);
    const { message } = await expectError('RUN_LOCK_LOST', () => lock.check());
    expect(message).toContain('removed');
    lock.release();
  });
});

describe('the heartbeat', () => {
  const text = '{"a":1}';
  const isSilent = (): boolean => statSync(file).mtimeMs < Date.now() - 60_000;
  let end: () => void;
  beforeEach(() => {
    writeFileSync(file, text);
    silence(300);
    end = startHeartbeat(file, text, { everyMs: 20 });
  });
  afterEach(() => end());

  it('goes on while the process is busy, and ends with the lock', async () => {
    const deadline = Date.now() + 20_000;
    while (isSilent() && Date.now() < deadline);
    expect(isSilent()).toBe(false);
    expect(readFileSync(file, 'utf8')).toBe(text);
    end();
    await wait(100);
    silence(300);
    await wait(100);
    expect(isSilent()).toBe(true);
  });

  it('never keeps the lock of another alive', async () => {
    await expect.poll(isSilent, { timeout: 20_000 }).toBe(false);
    writeFileSync(file, '{"b":2}');
    // A beat that had begun before.
    await wait(100);
    silence(300);
    await wait(100);
    expect(isSilent()).toBe(true);
  });
});

describe('the vitals', () => {
  const vitalsFile = (): string => join(folder, 'vitals.json');

  it('are there from the first moment until the lock is given back', () => {
    const lock = takeLock(file, vitalsFile());
    expect(readVitals(vitalsFile())).toMatchObject({ holder: thisProcess() });
    expect(readVitals(vitalsFile())?.resident).toBeGreaterThan(2 ** 20);
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('are kept fresh while the process is busy, and never brought back', async () => {
    const text = '{"a":1}';
    writeFileSync(file, text);
    const vitals = beginVitals(vitalsFile());
    const first = readVitals(vitalsFile())?.time ?? '';
    const end = startHeartbeat(file, text, { vitals, vitalsEveryMs: 20 });
    const held = Buffer.alloc(64 * 2 ** 20, 1);
    const deadline = Date.now() + 20_000;
    while ((readVitals(vitalsFile())?.time ?? '') <= first && Date.now() < deadline);
    const later = readVitals(vitalsFile());
    expect(later?.time).not.toBe(first);
    expect(later).toMatchObject({
      holder: thisProcess(),
      oomKillsBefore: vitals?.fixed.oomKillsBefore,
    });
    expect(later?.resident).toBeGreaterThan(held.length);
    expect(statSync(vitalsFile()).size).toBe(vitalsBytes);
    rmSync(vitalsFile());
    await wait(100);
    expect(existsSync(vitalsFile())).toBe(false);
    end();
  });
});

describe('a drive without locks', () => {
  const { linkSync, copyFileSync } = fs;
  afterEach(() => {
    Object.assign(fs, { linkSync, copyFileSync });
    syncBuiltinESMExports();
  });
  const refuse = (code: string) => () => {
    throw Object.assign(new Error(`${code}: not supported`), { code, errno: -95, syscall: 'link' });
  };

  it('is named', async () => {
    Object.assign(fs, { linkSync: refuse('ENOSYS'), copyFileSync: refuse('ENOTSUP') });
    syncBuiltinESMExports();
    const { message, remedy, place } = await expectError('LOCK_UNSUPPORTED', () => takeLock(file));
    expect(message).toMatch(/^The drive of this run cannot lock files/);
    if (process.platform === 'linux') expect(message).toMatch(/ \(\S+ at \/.*\)\.$/);
    expect(remedy).toContain('local drive');
    expect(place).toEqual({ file });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('will do where it can make a file that is not there yet', async () => {
    Object.assign(fs, { linkSync: refuse('EPERM') });
    syncBuiltinESMExports();
    const lock = takeLock(file);
    await expectError('RUN_LOCKED', () => takeLock(file));
    lock.release();
  });
});

it('finds the mount of a path', () => {
  const info = [
    '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
    '40 22 0:35 / /mnt/my\\040share rw,relatime shared:9 - nfs4 server:/home rw,vers=4.2',
    '41 40 0:36 / /mnt/my\\040share/inner rw - cifs //server/inner rw',
    '',
  ].join('\n');
  expect(findMount(info, '/mnt/my share/run')).toBe('nfs4 at /mnt/my share');
  expect(findMount(info, '/mnt/my share/inner/run')).toBe('cifs at /mnt/my share/inner');
  expect(findMount(info, '/mnt/my shares')).toBe('ext4 at /');
});

it('is held by one of many processes that try at once', { timeout: 60_000 }, async () => {
  const gone = spawn(process.execPath, ['-e', '']);
  await once(gone, 'exit');
  const files = Array.from({ length: 30 }, (_, round) => join(folder, `lock-${round}`));
  for (const [round, each] of files.entries()) {
    file = each;
    if (round % 3 === 1) leaveLock({ pid: gone.pid ?? 0 }, 0);
    if (round % 3 === 2) leaveLock(elsewhere, 300);
  }
  const program = racerProgram();
  const racers = Array.from({ length: 4 }, () => fork(program, files));
  await Promise.all(racers.map((racer) => answer(racer)));
  await Promise.all(racers.map((racer) => answer(racer, 'go')));
  const held = await Promise.all(racers.map((racer) => answer(racer, 'count')));
  expect(held.flat().toSorted()).toEqual(files.toSorted());
  // It was a race: no process was too late for all of them.
  expect(held.filter((each) => each.length > 0).length).toBeGreaterThan(1);
  const left = readdirSync(folder).filter((name) => name.startsWith('lock'));
  expect(left.map((name) => join(folder, name)).toSorted()).toEqual(files.toSorted());
});

/** Bundled, as four processes that compile it take seconds. */
function racerProgram(): string {
  const source = fileURLToPath(new URL('../../support/lockRacer.ts', import.meta.url));
  const outfile = join(folder, 'racer.mjs');
  const options = { bundle: true, platform: 'node', format: 'esm' } as const;
  buildSync({ ...options, entryPoints: [source], outfile });
  return outfile;
}

/** The answer of a racer; the files that it holds, to `count`. */
async function answer(racer: ChildProcess, question?: 'go' | 'count'): Promise<string[]> {
  if (question !== undefined) racer.send(question);
  const [message] = (await once(racer, 'message')) as [string[]];
  return message;
}
