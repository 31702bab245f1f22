/** What is read of a system's memory, on made-up systems: bare, in containers, of both versions. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { memoryProbes, readProbes, type Readings } from '../../../src/runs/memoryProbes.js';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'cfs-probes-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const machine = {
  'proc/meminfo': 'MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    9000000 kB\n',
  'proc/vmstat': 'pgfault 12\noom_kill 3\n',
};
const ofMachine = { free: 9e6 * 1024, total: 16e6 * 1024, oomKills: 3 };

function read(files: Record<string, string>): Readings {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return readProbes(memoryProbes(root));
}

it('nothing where there is no /proc', () => {
  expect(read({})).toEqual({});
});

it('the machine where there are no groups', () => {
  expect(read(machine)).toEqual(ofMachine);
});

it('the limit of a group above, and the kills in its own', () => {
  const group = 'sys/fs/cgroup/user.slice';
  const readings = read({
    ...machine,
    'proc/self/cgroup': '0::/user.slice/run.scope\n',
    [`${group}/memory.max`]: '8000000000\n',
    [`${group}/memory.stat`]: 'anon 7000000000\nfile 900000000\n',
    [`${group}/memory.events`]: 'oom_kill 9\n',
    [`${group}/run.scope/memory.max`]: 'max\n',
    [`${group}/run.scope/memory.stat`]: 'anon 6000000000\n',
    [`${group}/run.scope/memory.events`]: 'low 0\noom 2\noom_kill 1\noom_group_kill 0\n',
  });
  expect(readings).toEqual({ ...ofMachine, limit: 8e9, used: 7e9, oomKills: 1 });
});

it('a container of the first version, whose group is mounted under another name', () => {
  const group = 'sys/fs/cgroup/memory';
  const readings = read({
    ...machine,
    'proc/self/cgroup': '5:cpu,cpuacct:/docker/0123\n4:memory:/docker/0123\n0::/\n',
    [`${group}/memory.limit_in_bytes`]: '4000000000\n',
    [`${group}/memory.stat`]: 'cache 5\nrss 1\ntotal_cache 5\ntotal_rss 3900000000\n',
    [`${group}/memory.oom_control`]: 'oom_kill_disable 0\nunder_oom 0\noom_kill 2\n',
  });
  expect(readings).toEqual({ ...ofMachine, limit: 4e9, used: 3.9e9, oomKills: 2 });
});

it('no limit where the group has none', () => {
  const group = 'sys/fs/cgroup/memory/a';
  const readings = read({
    ...machine,
    'proc/self/cgroup': '4:memory:/a\n',
    [`${group}/memory.limit_in_bytes`]: '9223372036854771712\n',
    [`${group}/memory.oom_control`]: 'oom_kill_disable 0\noom_kill 0\n',
  });
  expect(readings).toEqual({ ...ofMachine, oomKills: 0 });
});
