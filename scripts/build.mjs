// Bundles what is shipped into dist/, or into the folder given (for tests that must not disturb
// dist/); `--release` for what is packaged, `--inputs=FILE` for a list of all files that went into it.
// ONNX Runtime stays outside: it brings native libraries.
import { build } from 'esbuild';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const [folder] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const target = resolve(folder ?? join(root, 'dist'));
/** Small and without source maps, for the package. */
const release = process.argv.includes('--release');
const list = process.argv.find((argument) => argument.startsWith('--inputs='));

/** Files that a bundle holds as text, which esbuild knows nothing of. */
const inlined = new Set();

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
      for (const file of Object.values(files)) inlined.add(relative(root, file));
      const lines = Object.entries(files).map(
        ([name, file]) => `export const ${name} = ${JSON.stringify(readFileSync(file, 'utf8'))};`,
      );
      return { contents: lines.join('\n'), loader: 'js', watchFiles: Object.values(files) };
    });
  },
};

/** Zod's messages in English alone; those of some fifty other languages are never asked for. */
const englishZod = {
  name: 'english-zod',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: `export { default as en } from './en.js';`,
      loader: 'js',
    }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  sourcemap: !release,
  minify: release,
  metafile: true,
  logLevel: 'warning',
  plugins: [reportAssets, englishZod],
};

/** The command line and the processes that the extension starts. */
const processes = {
  ...common,
  entryPoints: {
    cli: 'src/cli/main.ts',
    engine: 'src/engine/main.ts',
    preview: 'src/engine/preview/main.ts',
  },
  outdir: target,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: ['onnxruntime-node'],
  // CommonJS dependencies ask for Node's own modules by `require`.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

/** The extension host loads CommonJS. */
const extension = {
  ...common,
  entryPoints: { extension: 'src/extension.ts' },
  outdir: target,
  outExtension: { '.js': '.cjs' },
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  external: ['vscode'],
};

/** One script and one style sheet for each webview. */
const webviews = {
  ...common,
  entryPoints: { inspector: 'webview-ui/inspector/main.ts', panel: 'webview-ui/panel/main.ts' },
  outdir: join(target, 'webview'),
  platform: 'browser',
  target: 'es2022',
  format: 'iife',
};

rmSync(target, { recursive: true, force: true });
const built = await Promise.all([processes, extension, webviews].map((options) => build(options)));
chmodSync(join(target, 'cli.js'), 0o755);
if (list) {
  const inputs = built
    .flatMap(({ metafile }) => Object.values(metafile.outputs))
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([file]) => file);
  const files = [...new Set([...inputs, ...inlined])].map((file) => file.replaceAll('\\', '/'));
  writeFileSync(list.slice('--inputs='.length), JSON.stringify(files.sort()));
}
