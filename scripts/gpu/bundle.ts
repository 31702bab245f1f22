/**
 * Bundles the programs of the GPU check as plain JavaScript: its parts, and the numeric tests with a
 * small stand-in for Vitest. ONNX Runtime stays outside: it brings native libraries.
 */
import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build, type Metafile, type Plugin } from 'esbuild';

export const root = resolve(import.meta.dirname, '..', '..');
const own = (name: string): string => join(root, 'scripts', 'gpu', name);

/** The tests that compute on a provider. Those of operators come first: what fails there fails all. */
const tests = [
  'test/gradients/operators.test.ts',
  'test/gradients/vjp.test.ts',
  'test/gradients/recompute.test.ts',
  'test/parity/webgpu.test.ts',
  'test/unit/runtime/session.test.ts',
  'test/unit/trainer/optimizer.test.ts',
  'test/unit/trainer/step.test.ts',
  'test/contract/llama.test.ts',
];

/**
 * Files that a source finds beside itself are found at the same place in the pack, whose top is the
 * folder above the bundles.
 */
const samePlaces: Plugin = {
  name: 'same-places',
  setup: (bundler) => {
    bundler.onLoad({ filter: /[\\/](test|scripts|bench)[\\/].*\.ts$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const place = relative(root, path).replaceAll('\\', '/');
      const url = `new URL(${JSON.stringify(`../${place}`)}, __bundle).href`;
      return { contents: source.replaceAll('import.meta.url', url), loader: 'ts' };
    });
  },
};

const withShim: Plugin = {
  name: 'with-shim',
  setup: (bundler) => {
    bundler.onResolve({ filter: /^vitest$/ }, () => ({ path: own('vitestShim.ts') }));
  },
};

/** Writes `check.mjs`, `measure.mjs` and `numeric.mjs` into `folder`; says what went into them. */
export async function bundleChecks(folder: string): Promise<Metafile> {
  const imports = [...tests.map((file) => join(root, file)), own('numeric.ts')];
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      check: own('check.ts'),
      measure: own('measure.ts'),
      numeric: 'numeric-tests',
    },
    plugins: [
      {
        name: 'tests',
        setup: (bundler) => {
          bundler.onResolve({ filter: /^numeric-tests$/ }, ({ path }) => ({
            path,
            namespace: 'tests',
          }));
          bundler.onLoad({ filter: /.*/, namespace: 'tests' }, () => ({
            contents: imports.map((file) => `import ${JSON.stringify(file)};`).join('\n'),
            resolveDir: root,
          }));
        },
      },
      withShim,
      samePlaces,
    ],
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    metafile: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    external: ['onnxruntime-node'],
    logLevel: 'warning',
    banner: {
      js: [
        "import { createRequire as __createRequire } from 'node:module';",
        'const require = __createRequire(import.meta.url);',
        'const __bundle = import.meta.url;',
      ].join(' '),
    },
  });
  return metafile;
}
