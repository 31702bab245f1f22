/**
 * `npm run package`: the VSIX of a platform, with the bundles and that platform's native files only.
 * `-- --target all` makes them all, `-- --target terminal` a package for npm with the bundles alone, which
 * has npm install ONNX Runtime. Each is assembled in a folder of its own, with the licences and the list
 * of what is in it.
 */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createVSIX } from '@vscode/vsce';
import { z } from 'zod';
import {
  bundledPackages,
  demoParts,
  root,
  runtimePackages,
  type Component,
} from './shipping/components.js';
import { noticesName, writeNotices } from './shipping/notices.js';
import { bomName, writeBom } from './shipping/sbom.js';

/** VS Code's names for the platforms we have native files for, as Node names them. */
const targets = {
  'linux-x64': ['linux', 'x64'],
  'linux-arm64': ['linux', 'arm64'],
  'darwin-arm64': ['darwin', 'arm64'],
  'win32-x64': ['win32', 'x64'],
  'win32-arm64': ['win32', 'arm64'],
} as const;
type Target = keyof typeof targets;

const work = join(root, '.cfs', 'package');
const require = createRequire(import.meta.url);

const manifestSchema = z.looseObject({
  name: z.string(),
  version: z.string(),
  dependencies: z.record(z.string(), z.string()),
});
const product = readManifest();

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: `${process.platform}-${process.arch}` },
    out: { type: 'string', default: join(root, '.cfs', 'vsix') },
  },
});
const wanted = values.target === 'all' ? Object.keys(targets) : [values.target];
for (const target of wanted) {
  if (target === 'terminal') makeTerminalPackage();
  else if (isTarget(target)) await makeVsix(target);
  else {
    const names = [...Object.keys(targets), 'terminal', 'all'].join(', ');
    throw new Error(`There is no package for ${target}; there are: ${names}.`);
  }
}

async function makeVsix(target: Target): Promise<void> {
  const { stage, bundled } = beginStage(target);
  copyParts(stage, ['docs/images', '.vscodeignore', 'package.nls.json']);
  writeManifest(stage, {});
  copyRuntime(stage, target);
  tellParts(stage, target, [...bundled, ...runtimePackages(stage)]);
  const { name, version } = product;
  const file = join(values.out, `${name}-${version}-${target}.vsix`);
  mkdirSync(values.out, { recursive: true });
  await createVSIX({
    cwd: stage,
    packagePath: file,
    target,
    // Ours are bundled; vsce would look for them in a folder that is not there.
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  tellSize(file);
}

function makeTerminalPackage(): void {
  const { stage, bundled } = beginStage('terminal');
  const { dependencies } = readManifest();
  // All others are in the bundles.
  const runtime = 'onnxruntime-node';
  writeManifest(stage, { dependencies: { [runtime]: dependencies[runtime] } });
  tellParts(stage, 'any', bundled);
  const { name, version } = product;
  mkdirSync(values.out, { recursive: true });
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', resolve(values.out)];
  execFileSync('npm', args, { cwd: stage, shell: process.platform === 'win32' });
  tellSize(join(values.out, `${name}-${version}.tgz`));
}

/** A folder with what all packages have, and what its bundles hold of others. */
function beginStage(target: string): { stage: string; bundled: Component[] } {
  const stage = join(work, target);
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const inputs = join(work, `${target}-inputs.json`);
  const build = join(root, 'scripts', 'build.mjs');
  const args = [build, join(stage, 'dist'), '--release', `--inputs=${inputs}`];
  execFileSync(process.execPath, args, { stdio: 'inherit' });
  copyParts(stage, ['media', 'README.md', 'CHANGELOG.md', 'LICENSE']);
  const files = z.array(z.string()).parse(JSON.parse(readFileSync(inputs, 'utf8')));
  return { stage, bundled: bundledPackages(files) };
}

function copyParts(stage: string, names: readonly string[]): void {
  const isRun = (path: string): boolean => /[\\/]\.cfs([\\/]|$)/.test(path.slice(root.length));
  for (const name of names) {
    const options = { recursive: true, filter: (path: string) => !isRun(path) };
    if (existsSync(join(root, name))) cpSync(join(root, name), join(stage, name), options);
  }
}

/** Says in the package what it holds of others. */
function tellParts(stage: string, target: string, components: readonly Component[]): void {
  const parts = [...components, ...demoParts(stage, product.version)];
  writeFileSync(join(stage, noticesName), writeNotices(product.name, parts));
  writeFileSync(join(stage, bomName), writeBom({ ...product, target }, parts));
}

function tellSize(file: string): void {
  console.log(`${file}  ${(statSync(file).size / 2 ** 20).toFixed(1)} MB`);
}

/** The manifest without what only a checkout needs. */
function writeManifest(stage: string, more: object): void {
  const manifest: Record<string, unknown> = readManifest();
  for (const part of [
    'scripts',
    'dependencies',
    'devDependencies',
    'overrides',
    'files',
    'private',
  ]) {
    delete manifest[part];
  }
  writeJson(join(stage, 'package.json'), { ...manifest, ...more });
}

/** ONNX Runtime where `dist/engine.js` finds it, with the native files of one platform. */
function copyRuntime(stage: string, target: Target): void {
  const [platform, arch] = targets[target];
  const modules = join(stage, 'dist', 'node_modules');
  const binding = packageFolder('onnxruntime-node');
  const common = packageFolder('onnxruntime-common');
  const natives = join('bin', 'napi-v6', platform, arch);
  const copies: [from: string, to: string][] = [
    [join(binding, 'dist'), 'onnxruntime-node/dist'],
    [join(binding, natives), join('onnxruntime-node', natives)],
    [join(common, 'dist'), 'onnxruntime-common/dist'],
  ];
  const isNeeded = (path: string): boolean =>
    !/\.(d\.ts|map)$/.test(path) &&
    // The binding loads the name without the whole version; the other file is the same again.
    !/libonnxruntime\.\d+\.\d+\.\d+\.dylib$/.test(path);
  for (const [from, to] of copies) {
    cpSync(from, join(modules, to), { recursive: true, filter: isNeeded });
  }
  for (const name of ['onnxruntime-node', 'onnxruntime-common']) {
    const manifest = parseManifest(join(packageFolder(name), 'package.json'));
    // An install script that downloads, what it needs for that, and what its makers need.
    for (const part of ['scripts', 'dependencies', 'devDependencies']) delete manifest[part];
    writeJson(join(modules, name, 'package.json'), manifest);
  }
}

function packageFolder(name: string): string {
  return join(dirname(require.resolve(name)).split(`${name}`)[0] ?? '', name);
}

function readManifest() {
  return manifestSchema.parse(parseManifest(join(root, 'package.json')));
}

function parseManifest(file: string): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(file, 'utf8')));
}

function writeJson(file: string, data: object): void {
  writeFileSync(file, `${JSON.stringify(data, null, 2)}\n`);
}

function isTarget(name: string): name is Target {
  return Object.hasOwn(targets, name);
}
