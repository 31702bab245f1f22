import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Those run inside a real VS Code, by scripts of their own.
    exclude: ['test/vscode/**', 'test/host/**'],
    globalSetup: 'test/support/buildOnce.ts',
    // What jobs remember of files must not end up in the user's own cache.
    env: { XDG_CACHE_HOME: join(tmpdir(), 'cfs-test-cache') },
    // ONNX Runtime keeps native state per process and uses all cores by itself.
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
