/**
 * Starts the VS Code of `install.mjs` on a port of this machine, with settings, extensions and state
 * in a folder of its own, so that nothing of the user's editor is read or changed.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { installVsCode } from './install.mjs';

export interface ServerOptions {
  /** VSIX files to install. */
  extensions?: readonly string[];
  /** Settings of the user, beside those that keep the workbench quiet. */
  settings?: Record<string, unknown>;
  /** Without it, every folder is trusted. */
  workspaceTrust?: boolean;
  /** Reports what happens in the window to `codeAutomationLog`, as test runners want. */
  smokeTestDriver?: boolean;
  /** Where settings, extensions and logs go; a temporary folder that is removed, when left out. */
  home?: string;
}

export interface VsCodeServer {
  /** With its port, no slash at the end. */
  url: string;
  home: string;
  /** Every folder is trusted. */
  trustsAll: boolean;
  /** The address of a folder in the workbench. */
  folderUrl(folder: string): string;
  /** Resolves when the server has ended by itself. */
  ended: Promise<number | null>;
  close(): Promise<void>;
}

/** A workbench without first-run pages, updates, telemetry and chat. */
const quiet = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'git.enabled': false,
  'files.simpleDialog.enable': true,
};

export async function startVsCode(options: ServerOptions = {}): Promise<VsCodeServer> {
  const {
    extensions = [],
    settings = {},
    workspaceTrust = false,
    smokeTestDriver = false,
  } = options;
  const { node, entry } = installVsCode();
  const home = resolve(options.home ?? mkdtempSync(join(tmpdir(), 'cfs-vscode-')));
  const at = (...parts: string[]): string => join(home, ...parts);
  for (const folder of ['data/User', 'extensions', 'tmp', 'run']) {
    mkdirSync(at(folder), { recursive: true });
  }
  const port = await freePort();
  writeFileSync(
    at('config.yaml'),
    `bind-addr: 127.0.0.1:${port}\nauth: none\ncert: false\ndisable-telemetry: true\ndisable-update-check: true\n`,
  );
  if (!existsSync(at('data/User/settings.json'))) {
    writeFileSync(
      at('data/User/settings.json'),
      JSON.stringify({ ...quiet, ...settings }, null, 2),
    );
  }
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    EXTENSIONS_GALLERY: '{}',
    XDG_CONFIG_HOME: at('config'),
    XDG_DATA_HOME: at('share'),
    XDG_RUNTIME_DIR: at('run'),
    TMPDIR: at('tmp'),
  };
  // Set in a terminal of VS Code, it would send our commands to that window.
  delete env.VSCODE_IPC_HOOK_CLI;
  const common = [
    entry,
    ...['--config', at('config.yaml')],
    ...['--user-data-dir', at('data')],
    ...['--extensions-dir', at('extensions')],
  ];
  for (const vsix of extensions) {
    execFileSync(node, [...common, '--install-extension', resolve(vsix)], { env, stdio: 'pipe' });
  }
  const log = openSync(at('server.log'), 'a');
  const server = spawn(
    node,
    [
      ...common,
      ...(workspaceTrust ? [] : ['--disable-workspace-trust']),
      ...(smokeTestDriver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    ],
    { env, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  const ended = new Promise<number | null>((done) => server.once('exit', done));
  const url = `http://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    server.kill();
    await ended;
    // Its extension hosts write on for a moment.
    if (options.home === undefined) {
      rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    }
  };
  try {
    await answering(`${url}/healthz`, ended);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    home,
    trustsAll: !workspaceTrust,
    folderUrl: (folder) => `${url}/?folder=${encodeURIComponent(resolve(folder))}`,
    ended,
    close,
  };
}

async function answering(address: string, ended: Promise<unknown>): Promise<void> {
  let over = false;
  void ended.then(() => (over = true));
  for (let attempt = 0; attempt < 300 && !over; attempt++) {
    const answer = await fetch(address).catch(() => undefined);
    if (answer?.ok) return;
    await wait(100);
  }
  throw new Error('code-server did not start; its log is server.log in its home folder.');
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', fail);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        typeof address === 'object' && address !== null ? done(address.port) : fail(new Error()),
      );
    });
  });
}
