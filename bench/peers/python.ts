/**
 * Finds a Python that has the peers' packages. The product never needs Python; a benchmark that
 * does is skipped by name where there is none.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Skipped } from './lineProcess.js';

export interface PeerPython {
  command: string;
  /** Installed version of each package asked for. */
  versions: Record<string, string>;
}

const versionsSchema = z.record(z.string(), z.string().nullable());

/** Where `install.sh` puts its virtual environment. */
const peerFolder = fileURLToPath(new URL('../../.cfs/peers/venv', import.meta.url));

/** `CFS_PEER_PYTHON`, else the virtual environment of `install.sh`, else `python3`. */
export function pythonCandidates(environment: NodeJS.ProcessEnv): string[] {
  if (environment.CFS_PEER_PYTHON !== undefined) return [environment.CFS_PEER_PYTHON];
  const installed = ['bin/python', 'Scripts/python.exe'].map((path) => `${peerFolder}/${path}`);
  return [...installed.filter((path) => existsSync(path)), 'python3'];
}

/** The first candidate that has every one of `packages`; else what each of them lacks. */
export function findPython(
  packages: readonly string[],
  candidates: readonly string[] = pythonCandidates(process.env),
): PeerPython | Skipped {
  const lacks: string[] = [];
  for (const command of candidates) {
    const versions = readVersions(command, packages);
    if (typeof versions === 'string') {
      lacks.push(`${command}: ${versions}`);
      continue;
    }
    const missing = packages.filter((name) => (versions[name] ?? null) === null);
    if (missing.length > 0) {
      lacks.push(`${command} has no ${missing.join(', ')}`);
      continue;
    }
    const entries = Object.entries(versions).map(([name, version]) => [name, version ?? '']);
    return { command, versions: Object.fromEntries(entries) as Record<string, string> };
  }
  const remedy = 'run bench/peers/install.sh or set CFS_PEER_PYTHON';
  return { skipped: `no Python with ${packages.join(', ')} (${lacks.join('; ')}): ${remedy}` };
}

/** Version of each package, null where it is not installed; or why the program did not run. */
function readVersions(
  command: string,
  packages: readonly string[],
): Record<string, string | null> | string {
  const program = [
    'import json, sys, importlib.metadata as m',
    'def version(name):',
    '    try: return m.version(name)',
    '    except m.PackageNotFoundError: return None',
    'print(json.dumps({name: version(name) for name in sys.argv[1:]}))',
  ].join('\n');
  const ran = spawnSync(command, ['-c', program, ...packages], { encoding: 'utf8' });
  if (ran.error !== undefined) return ran.error.message;
  if (ran.status !== 0) return ran.stderr.trim().split('\n').at(-1) ?? `exit code ${ran.status}`;
  return versionsSchema.parse(JSON.parse(ran.stdout));
}
