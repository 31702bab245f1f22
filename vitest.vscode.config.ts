import { defineConfig } from 'vitest/config';

/** End-to-end tests in a real VS Code: `npm run test:vscode`. */
export default defineConfig({
  test: {
    include: ['test/vscode/**/*.test.ts'],
    pool: 'forks',
    // Each test file has a server and a browser of its own, and a run that trains.
    poolOptions: { forks: { singleFork: true } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
    bail: 0,
  },
});
