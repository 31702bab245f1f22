/**
 * `npm run studio`: the demo workspace in a real VS Code with this extension loaded: the installed
 * `code` where there is one, else the browser edition, whose address is printed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { startVsCode } from './vscode/server.js';

const root = resolve(import.meta.dirname, '..');
const work = join(root, '.cfs', 'studio');
const workspace = join(work, 'demo');

execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' });
// A copy: what people try out must not change the demo itself. Runs of earlier days stay in it.
if (!existsSync(workspace)) {
  mkdirSync(work, { recursive: true });
  cpSync(join(root, 'media', 'demo'), workspace, { recursive: true });
}

if (hasDesktop()) {
  // With a shell, because on Windows `code` is a script.
  spawnSync('code', ['--extensionDevelopmentPath', quote(root), quote(workspace)], {
    stdio: 'inherit',
    shell: true,
  });
  console.log(`VS Code opens ${workspace}.`);
} else {
  const home = join(work, 'home');
  loadFromSource(join(home, 'extensions'));
  const server = await startVsCode({ home });
  console.log(`Open ${server.folderUrl(workspace)}\nCtrl-C ends it.`);
  const end = (): void => void server.close();
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  await server.ended;
}

/** Whether the `code` of a desktop VS Code answers. */
function hasDesktop(): boolean {
  const { status } = spawnSync('code', ['--version'], { stdio: 'ignore', shell: true });
  return status === 0;
}

/** The browser edition takes no folder to develop from: a link among its extensions is as good. */
function loadFromSource(extensions: string): void {
  const { publisher, name, version } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  const id = `${publisher}.${name}`;
  const link = join(extensions, `${id}-${version}`);
  mkdirSync(extensions, { recursive: true });
  if (!existsSync(link)) symlinkSync(root, link, 'junction');
  const entry = {
    identifier: { id },
    version,
    location: { $mid: 1, path: link, scheme: 'file' },
    relativeLocation: `${id}-${version}`,
  };
  writeFileSync(join(extensions, 'extensions.json'), JSON.stringify([entry]));
}

function quote(path: string): string {
  return `"${path}"`;
}
