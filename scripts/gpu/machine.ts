/** The machine of a GPU check: what it is, what it lacks and the pack lends, its GPU's memory. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const systemFolders = [
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/lib64',
  '/usr/lib64',
  '/usr/local/lib',
  '/lib',
  '/usr/lib',
];

/**
 * Links those of the pack's libraries that the machine lacks into `folder`; their names. A library of
 * the machine's own is never hidden: its driver may need just that one.
 */
export function lendLibraries(
  pack: string,
  folder: string,
  environment: NodeJS.ProcessEnv,
): string[] {
  mkdirSync(folder, { recursive: true });
  const known = ['ldconfig', '/sbin/ldconfig', '/usr/sbin/ldconfig']
    .map((command) => spawnSync(command, ['-p'], { encoding: 'utf8' }).stdout ?? '')
    .join('\n');
  const folders = [...(environment.LD_LIBRARY_PATH ?? '').split(':'), ...systemFolders];
  const has = (name: string): boolean =>
    known.includes(`\t${name} `) ||
    folders.some((folder) => folder !== '' && existsSync(join(folder, name)));
  const lent = readdirSync(join(pack, 'lib')).filter((name) => !has(name));
  for (const name of lent) {
    const link = join(folder, name);
    if (!existsSync(link)) symlinkSync(join(pack, 'lib', name), link);
  }
  return lent;
}

/** The machine, and the version that is tried on it. */
export function machineFacts(pack: string): Record<string, string> {
  const { version, commit } = JSON.parse(readFileSync(join(pack, 'pack.json'), 'utf8')) as {
    version: string;
    commit: string;
  };
  const gpus = querySmi('name,memory.total,driver_version');
  const container = existsSync('/etc/os-release')
    ? /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
    : undefined;
  return {
    GPU: gpus?.join('; ') ?? 'none that nvidia-smi knows',
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} threads`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${container ?? 'unknown'}, kernel ${release()}`,
    node: process.versions.node,
    'CFS Studio': `${version}, ${commit}`,
  };
}

/** What helps to see why there is no Vulkan. */
export function driverTraces(): string {
  const devices = listed('/dev').filter((name) => /^nvidia|^dri$|^dxg$/.test(name));
  const version = existsSync('/proc/driver/nvidia/version')
    ? readFileSync('/proc/driver/nvidia/version', 'utf8').trim()
    : 'no /proc/driver/nvidia/version';
  return [
    `devices: ${devices.join(' ') || 'none of NVIDIA'}`,
    version,
    `NVIDIA_DRIVER_CAPABILITIES: ${process.env.NVIDIA_DRIVER_CAPABILITIES ?? 'not set'}`,
    `LD_LIBRARY_PATH: ${process.env.LD_LIBRARY_PATH ?? 'not set'}`,
  ].join('\n');
}

function listed(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

const smi = ['nvidia-smi', '/usr/bin/nvidia-smi', '/usr/local/nvidia/bin/nvidia-smi'];

/** One line for each GPU; undefined where there is no nvidia-smi. */
function querySmi(fields: string): string[] | undefined {
  const program = smiCommand();
  if (program === undefined) return undefined;
  const asked = spawnSync(program, [`--query-gpu=${fields}`, '--format=csv,noheader'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return asked.status === 0 ? asked.stdout.trim().split('\n') : undefined;
}

function smiCommand(): string | undefined {
  return smi.find((command) => spawnSync(command, ['--version'], { timeout: 20_000 }).status === 0);
}

export interface GpuMemory {
  /** From here on the highest is looked for; what is in use now does not count. */
  reset(): void;
  /** Undefined where it cannot be known. */
  peakBytes(): number | undefined;
  stop(): void;
}

/** The GPU's memory in use, five times a second. */
export function watchGpuMemory(): GpuMemory {
  const program = smiCommand();
  if (program === undefined) {
    return { reset: () => undefined, peakBytes: () => undefined, stop: () => undefined };
  }
  let [now, base, peak] = [0, 0, 0];
  const query = [
    '--query-gpu=memory.used',
    '--format=csv,noheader,nounits',
    '-lms',
    '200',
    '--id=0',
  ];
  const child = spawn(program, query, { stdio: ['ignore', 'pipe', 'ignore'] });
  child.on('error', () => undefined);
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    for (const line of chunk.split('\n')) {
      const mebibytes = Number.parseInt(line, 10);
      if (!Number.isFinite(mebibytes)) continue;
      now = mebibytes * 2 ** 20;
      peak = Math.max(peak, now);
    }
  });
  const stop = (): void => void child.kill();
  process.once('exit', stop);
  return {
    reset: () => {
      base = now;
      peak = now;
    },
    peakBytes: () => (now === 0 && peak === 0 ? undefined : Math.max(0, peak - base)),
    stop,
  };
}
