/**
 * `npm run package`: the VSIX of a platform, with the bundles and that platform's native files only.
 * `-- --target all` makes them all. It is assembled in a folder of its own, where ONNX Runtime
 * is next to the bundle that loads it.
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

/** VS Code's names for the platforms we have native files for, as Node names them. */
const targets = {
  'linux-x64': ['linux', 'x64'],
  'linux-arm64': ['linux', 'arm64'],
  'darwin-arm64': ['darwin', 'arm64'],
  'win32-x64': ['win32', 'x64'],
  'win32-arm64': ['win32', 'arm64'],
} as const;
type Target = keyof typeof targets;

const root = resolve(import.meta.dirname, '..');
const work = join(root, '.cfs', 'package');
const require = createRequire(import.meta.url);

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: `${process.platform}-${process.arch}` },
    out: { type: 'string', default: join(root, '.cfs', 'vsix') },
  },
});
const wanted = values.target === 'all' ? (Object.keys(targets) as Target[]) : [values.target];
for (const target of wanted) {
  if (!isTarget(target)) {
    throw new Error(
      `There is no package for ${target}; there are: ${Object.keys(targets).join(', ')}.`,
    );
  }
  await makePackage(target);
}

async function makePackage(target: Target): Promise<void> {
  const stage = join(work, target);
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  const build = join(root, 'scripts', 'build.mjs');
  execFileSync(process.execPath, [build, join(stage, 'dist'), '--release'], { stdio: 'inherit' });
  for (const name of [
    'media',
    'docs/images',
    'README.md',
    'CHANGELOG.md',
    'LICENSE',
    '.vscodeignore',
  ]) {
    if (existsSync(join(root, name)))
      cpSync(join(root, name), join(stage, name), { recursive: true });
  }
  copyManifest(stage);
  copyRuntime(stage, target);

  const { name, version } = readManifest();
  const file = join(values.out, `${String(name)}-${String(version)}-${target}.vsix`);
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
  console.log(`${file}  ${(statSync(file).size / 2 ** 20).toFixed(1)} MB`);
}

/** The manifest without what only a checkout needs. */
function copyManifest(stage: string): void {
  const manifest = readManifest();
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
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  const texts = join(root, 'package.nls.json');
  if (existsSync(texts)) cpSync(texts, join(stage, 'package.nls.json'));
}

/** ONNX Runtime where `dist/engine.js` finds it, with the native files of one platform. */
function copyRuntime(stage: string, target: Target): void {
  const [platform, arch] = targets[target];
  const modules = join(stage, 'dist', 'node_modules');
  const binding = packageFolder('onnxruntime-node');
  const common = packageFolder('onnxruntime-common');
  const natives = join('bin', 'napi-v6', platform, arch);
  const copies: [from: string, to: string][] = [
    [join(binding, 'package.json'), 'onnxruntime-node/package.json'],
    [join(binding, 'dist'), 'onnxruntime-node/dist'],
    [join(binding, natives), join('onnxruntime-node', natives)],
    [join(common, 'package.json'), 'onnxruntime-common/package.json'],
    [join(common, 'dist'), 'onnxruntime-common/dist'],
  ];
  const isNeeded = (path: string): boolean =>
    !/\.(d\.ts|map)$/.test(path) &&
    // The binding loads the name without the whole version; the other file is the same again.
    !/libonnxruntime\.\d+\.\d+\.\d+\.dylib$/.test(path);
  for (const [from, to] of copies) {
    cpSync(from, join(modules, to), { recursive: true, filter: isNeeded });
  }
}

function packageFolder(name: string): string {
  return join(dirname(require.resolve(name)).split(`${name}`)[0] ?? '', name);
}

function readManifest(): Record<string, unknown> {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
}

function isTarget(name: string): name is Target {
  return Object.hasOwn(targets, name);
}
