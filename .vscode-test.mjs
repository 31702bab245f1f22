// Tests inside the extension host (`npm run test:host`), bundled by scripts/vscode/testHost.mjs.
import { defineConfig } from '@vscode/test-cli';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  files: here('.cfs/test-host/tests/*.cjs'),
  workspaceFolder: here('.cfs/test-host/workspace'),
  extensionDevelopmentPath: here('.'),
  useInstallation: { fromPath: here('scripts/vscode/code') },
  mocha: { ui: 'bdd', timeout: 60_000 },
});
