// Bundles what is shipped into dist/, or into the folder given (for tests that must not disturb
// dist/). ONNX Runtime stays outside: it brings native libraries.
import { build } from 'esbuild';
import { chmodSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const target = resolve(process.argv[2] ?? join(root, 'dist'));

/** Puts the files that a report inlines into the bundle (see src/runs/reportAssets.ts). */
const reportAssets = {
  name: 'report-assets',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]runs[\\/]reportAssets\.ts$/ }, ({ path }) => {
      const files = {
        chartScript: join(dirname(require.resolve('chart.js')), 'chart.umd.min.js'),
        pageScript: join(dirname(path), 'reportPage.js'),
        pageStyle: join(dirname(path), 'reportPage.css'),
      };
      const lines = Object.entries(files).map(
        ([name, file]) => `export const ${name} = ${JSON.stringify(readFileSync(file, 'utf8'))};`,
      );
      return { contents: lines.join('\n'), loader: 'js', watchFiles: Object.values(files) };
    });
  },
};

rmSync(target, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { cli: 'src/cli/main.ts', engine: 'src/engine/main.ts' },
  outdir: target,
  bundle: true,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  external: ['onnxruntime-node'],
  plugins: [reportAssets],
  // CommonJS dependencies ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
chmodSync(join(target, 'cli.js'), 0o755);
