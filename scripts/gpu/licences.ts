/** Says in the pack whose work it holds and under which licences: each owner's own text, and a list. */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { bundledPackages, root, type Component } from '../shipping/components.js';

/** The npm packages that the files of a bundle come from, by name. */
export function bundledLicences(files: readonly string[]): Component[] {
  // The program's own bundles hold what it depends on, and the pack ONNX Runtime beside them.
  const { dependencies } = z
    .object({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const own = Object.keys(dependencies).filter((one) => !pagesOnly.has(one));
  const manifests = [...own, 'onnxruntime-common'].map(
    (name) => `node_modules/${name}/package.json`,
  );
  return bundledPackages([...files, ...manifests]);
}

/** The pack leaves out the editor's pages. */
const pagesOnly = new Set(['@vscode/webview-ui-toolkit', '@tanstack/virtual-core', 'lit-html']);

export interface Sources {
  /** Node's licence file. */
  node: string;
  /** A folder of unpacked Debian packages. */
  debian: string;
  packages: readonly Component[];
}

/** Writes the licences of all that the pack holds into `folder`. */
export function writeLicences(folder: string, { node, debian, packages }: Sources): void {
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, 'LICENSE'), join(folder, 'cfs-studio'));
  cpSync(node, join(folder, 'node'));
  const documents = join(debian, 'usr', 'share', 'doc');
  const debianNames = readdirSync(documents).filter((name) =>
    existsSync(join(documents, name, 'copyright')),
  );
  for (const name of debianNames) {
    cpSync(join(documents, name, 'copyright'), join(folder, `debian-${name}`), {
      dereference: true,
    });
  }
  for (const { name, texts } of packages) {
    writeFileSync(join(folder, `npm-${name.replace('/', '-')}`), texts.join('\n\n'));
  }
  const lines = [
    '# What this pack holds, and under which licences',
    '',
    'The texts lie beside this file.',
    '',
    '- CFS Studio, its demo model and data, its tests: MIT (`cfs-studio`)',
    '- Node.js and what is built into it: MIT and others (`node`)',
    ...debianNames.map((name) => `- Debian's package of ${name}: see \`debian-${name}\``),
    ...packages.map(({ name, version, licence }) => `- ${name} ${version}, from npm: ${licence}`),
    '',
  ];
  writeFileSync(join(folder, 'README.md'), lines.join('\n'));
}
