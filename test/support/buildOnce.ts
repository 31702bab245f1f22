/**
 * Bundles everything once for a test run, into a folder of its own, so that no test depends on an
 * earlier build or disturbs one.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder with the bundles. */
    bundles: string;
  }
}

export default function buildOnce(project: TestProject): () => void {
  const root = fileURLToPath(new URL('../../', import.meta.url));
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'cfs-bundles-'));
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs'), folder], { stdio: 'pipe' });
  project.provide('bundles', folder);
  return () => rmSync(folder, { recursive: true, force: true });
}
