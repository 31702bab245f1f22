/**
 * Finds a Vulkan driver on a machine that may hide it: a container often has the driver's libraries
 * without the manifest that names them, or both in a folder where the loader does not look. Whoever
 * calls tries the candidates in turn, and takes the first on which WebGPU starts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export interface DriverCandidate {
  /** Where it comes from, in words. */
  how: string;
  /** Left out: the loader looks for itself. */
  manifest?: string;
  /** The library that the manifest names, where it is known. */
  library?: string;
}

export interface Machine {
  /** `/`, or the top of a made-up tree. */
  root: string;
  environment: NodeJS.ProcessEnv;
  /** Where manifests of our own are written. */
  folder: string;
}

const manifestFolders = [
  '/etc/vulkan/icd.d',
  '/usr/share/vulkan/icd.d',
  '/usr/local/share/vulkan/icd.d',
  '/usr/local/etc/vulkan/icd.d',
  '/usr/local/nvidia/share/vulkan/icd.d',
  '/etc/vulkan/implicit_layer.d',
  '/usr/share/vulkan/implicit_layer.d',
];

/** Where a driver may lie; walked to this depth, links not followed. */
const searched = ['/etc', '/usr', '/opt', '/run', '/lib', '/lib64', '/var/lib', '/nvidia', '/mnt'];
const depth = 9;
const walkSeconds = 15;

/** The function by which the loader enters a driver. */
const entry = 'vk_icdGetInstanceProcAddr';

/** Best first. The last lets the loader look for itself. */
export function findDrivers(machine: Machine): DriverCandidate[] {
  const { environment } = machine;
  const set = environment.VK_DRIVER_FILES ?? environment.VK_ICD_FILENAMES;
  if (set !== undefined && set !== '') return [{ how: 'set in the environment', manifest: set }];
  const files = walk(machine.root);
  const libraries = rankLibraries(files);
  const found = rankManifests(machine.root, files).map(({ manifest, named }): DriverCandidate => {
    const library = libraryOf(manifest, named, libraries);
    return { how: `the manifest ${manifest}`, manifest, ...(library && { library }) };
  });
  const written = libraries.map((library, i): DriverCandidate => {
    const manifest = join(machine.folder, `${i}-${basename(library)}.json`);
    return { how: `a manifest of our own for ${library}`, manifest, library };
  });
  mkdirSync(machine.folder, { recursive: true });
  for (const { manifest, library } of written) {
    const icd = { library_path: library, api_version: '1.3.0' };
    const content = { file_format_version: '1.0.0', ICD: icd };
    writeFileSync(manifest ?? '', JSON.stringify(content));
  }
  const [nvidia, others] = [true, false].map((wanted) =>
    found.filter(({ manifest, library }) => isNvidia(`${manifest} ${library}`) === wanted),
  );
  return [...(nvidia ?? []), ...written, ...(others ?? []), { how: 'left to the loader' }];
}

/** The folders that a program must look in for this driver's libraries. */
export function foldersOf({ library }: DriverCandidate): string[] {
  return library === undefined ? [] : [dirname(library)];
}

/** Libraries that `library` needs and the machine does not have, as its own loader says. */
export function missingNeeds(library: string, environment: NodeJS.ProcessEnv): string[] {
  const loader = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-x86-64.so.2'].find(existsSync);
  if (loader === undefined) return [];
  const listed = spawnSync(loader, ['--list', library], { encoding: 'utf8', env: environment });
  return [...(listed.stdout ?? '').matchAll(/^\s*(\S+) => not found/gm)].map(
    ([, name]) => name ?? '',
  );
}

interface Found {
  manifests: string[];
  libraries: string[];
}

function walk(root: string): Found {
  const found: Found = { manifests: [], libraries: [] };
  const until = Date.now() + walkSeconds * 1000;
  const visit = (folder: string, left: number): void => {
    if (Date.now() > until) return;
    for (const entry of list(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (left > 0) visit(path, left - 1);
      } else if (/^lib(GLX|EGL)_nvidia\.so|^libnvidia-.*\.so/.test(entry.name)) {
        found.libraries.push(path);
      } else if (entry.name.endsWith('.json') && /[\\/]vulkan[\\/]|nvidia.*icd/.test(path)) {
        found.manifests.push(path);
      }
    }
  };
  for (const folder of searched) visit(join(root, folder), depth);
  return found;
}

function list(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Manifests of drivers, those of the usual folders first, with the library they name. */
function rankManifests(root: string, { manifests }: Found) {
  const order = manifestFolders.map((folder) => join(root, folder));
  const rank = (path: string): number => {
    const at = order.indexOf(dirname(path));
    return at < 0 ? order.length : at;
  };
  return manifests
    .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map((manifest) => ({ manifest, named: namedIn(manifest) }))
    .filter((one): one is { manifest: string; named: string } => one.named !== undefined);
}

/** What a driver's manifest names; a layer's names no driver. */
function namedIn(manifest: string): string | undefined {
  try {
    const content = JSON.parse(readFileSync(manifest, 'utf8')) as {
      ICD?: { library_path?: unknown };
    };
    const named = content.ICD?.library_path;
    return typeof named === 'string' ? named : undefined;
  } catch {
    return undefined;
  }
}

/** A bare name is looked up by the system, which may not know the folder where we have found it. */
function libraryOf(
  manifest: string,
  named: string,
  libraries: readonly string[],
): string | undefined {
  if (named.includes('/')) return resolve(dirname(manifest), named);
  return libraries.find((path) => basename(path) === named);
}

/**
 * Libraries that are drivers: the one for X11 and the one without by their known names, then with a
 * version as a container may have them, then whatever of NVIDIA's has the entry of a driver.
 */
function rankLibraries({ libraries }: Found): string[] {
  const kinds = [
    /^libGLX_nvidia\.so\.0$/,
    /^libEGL_nvidia\.so\.0$/,
    /^libGLX_nvidia\.so/,
    /^libEGL_nvidia\.so/,
    /^libnvidia-.*\.so/,
  ];
  const rank = (path: string): number => kinds.findIndex((kind) => kind.test(basename(path)));
  return libraries
    .filter((path) => rank(path) < kinds.length - 1 || hasEntry(path))
    .toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

function hasEntry(path: string): boolean {
  try {
    return readFileSync(path).includes(entry);
  } catch {
    return false;
  }
}

function isNvidia(text: string): boolean {
  return /nvidia/i.test(text);
}
