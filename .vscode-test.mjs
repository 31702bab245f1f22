// Tests inside the extension host (`npm run test:host`), bundled by scripts/vscode/testHost.mjs.
import { defineConfig } from '@vscode/test-cli';
import { readdirSync } from 'node:fs';
import { fileURLToPath, URL } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // By name: patterns do not look into folders that begin with a dot.
  files: readdirSync(here('.cfs/test-host/tests')).map((name) =>
    here(`.cfs/test-host/tests/${name}`),
  ),
  workspaceFolder: here('.cfs/test-host/workspace'),
  extensionDevelopmentPath: here('.'),
  useInstallation: { fromPath: here('scripts/vscode/code') },
  mocha: { ui: 'bdd', timeout: 60_000 },
});
