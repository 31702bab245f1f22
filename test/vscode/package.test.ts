/** What the package of this platform consists of, as VS Code unpacks it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startVsCode } from '../../scripts/vscode/server.js';
import { packagedExtension } from './packaged.js';

describe('the package', () => {
  const home = mkdtempSync(join(tmpdir(), 'cfs-package-'));
  let folder = '';
  let files: string[] = [];

  beforeAll(async () => {
    const server = await startVsCode({ home, extensions: [packagedExtension()] });
    await server.close();
    const [name] = readdirSync(join(home, 'extensions')).filter((each) =>
      each.startsWith('cfs-studio.'),
    );
    folder = join(home, 'extensions', name ?? 'not installed');
    files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .map((path) => path.split(sep).join('/'));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it('holds the bundles, the texts and the demo, and nothing else', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'dist/extension.cjs',
        'dist/engine.js',
        'dist/preview.js',
        'dist/cli.js',
        'dist/webview/panel.js',
        'dist/webview/inspector.js',
        'media/demo/dataset.jsonl',
        'media/demo/model/model.safetensors',
      ]),
    );
    const strange = files.filter(
      (file) =>
        !/^(dist|media|docs\/images)\//.test(file) &&
        !/^(package(\.nls)?\.json|\.vsixmanifest|readme\.md|changelog\.md|license(\.txt|\.md)?|third_party_notices\.txt|bom\.json)$/i.test(
          file,
        ),
    );
    expect(strange).toEqual([]);
    expect(files.filter((file) => file.endsWith('.map') || /\.tsx?$/.test(file))).toEqual([]);
  });

  it('has the native files of its own platform only', () => {
    const natives = files.filter((file) => /\.(node|so(\.\d+)*|dylib|dll)$/.test(file));
    const own = `dist/node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/`;
    expect(natives.length).toBeGreaterThan(0);
    expect(natives.filter((file) => !file.startsWith(own))).toEqual([]);
  });

  it('has every file that its manifest names', () => {
    const manifest = readFileSync(join(folder, 'package.json'), 'utf8');
    const named = [...manifest.matchAll(/"(?:\.\/)?((?:media|dist|docs)\/[^"]+)"/g)].map(
      ([, path]) => path ?? '',
    );
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((path) => !existsSync(join(folder, path)))).toEqual([]);
  });

  it('brings an engine that runs where nothing else is installed', () => {
    const answer = execFileSync(
      process.execPath,
      [join(folder, 'dist/cli.js'), 'doctor', '--json'],
      {
        cwd: home,
        encoding: 'utf8',
      },
    );
    const report = JSON.parse(answer) as { providers: { name: string; works: boolean }[] };
    expect(report.providers).toContainEqual(expect.objectContaining({ name: 'cpu', works: true }));
  });
});
