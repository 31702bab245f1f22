// `npm run test:host`: bundles test/host for the extension host, makes a workspace to open, and
// runs the tests in the VS Code of install.mjs.
import { build } from 'esbuild';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, URL } from 'node:url';
import { installVsCode } from './install.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = join(root, '.cfs', 'test-host');
const sources = join(root, 'test', 'host');

rmSync(work, { recursive: true, force: true });
mkdirSync(work, { recursive: true });
cpSync(join(root, 'media', 'demo'), join(work, 'workspace'), { recursive: true });
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' });
await build({
  absWorkingDir: root,
  entryPoints: readdirSync(sources)
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(sources, name)),
  outdir: join(work, 'tests'),
  outExtension: { '.js': '.cjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['vscode', 'mocha'],
  logLevel: 'warning',
});
installVsCode();
const runner = resolve(root, 'node_modules/@vscode/test-cli/out/bin.mjs');
const { status } = spawnSync(process.execPath, [runner], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
