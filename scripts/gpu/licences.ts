/** Says in the pack whose work it holds and under which licences: each owner's own text, and a list. */
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.js';

export interface BundledPackage {
  name: string;
  version: string;
  licence: string;
  /** Its folder. */
  folder: string;
}

/** The npm packages that the files of a bundle come from, by name. */
export function bundledLicences(files: readonly string[]): BundledPackage[] {
  const pattern = /^(.*node_modules\/(?:@[^/]+\/)?[^/@][^/]*)\//;
  const folders = new Set(files.map((file) => pattern.exec(file)?.[1] ?? ''));
  // The program's own bundles hold what it depends on, and the pack ONNX Runtime beside them.
  const own = Object.keys(readPackage(root).dependencies ?? {});
  for (const name of [...own.filter((one) => !pagesOnly.has(one)), 'onnxruntime-common']) {
    folders.add(`node_modules/${name}`);
  }
  folders.delete('');
  const packages = [...folders].map((folder): [string, BundledPackage] => {
    const { name, version, license } = readPackage(join(root, folder));
    return [name, { folder: join(root, folder), name, version, licence: license }];
  });
  return [...new Map(packages).values()]
    .filter(({ licence }) => licence !== undefined)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The pack leaves out the editor's pages. */
const pagesOnly = new Set(['@vscode/webview-ui-toolkit', '@tanstack/virtual-core', 'lit-html']);

interface PackageFile {
  name: string;
  version: string;
  license: string;
  dependencies?: Record<string, string>;
}

function readPackage(folder: string): PackageFile {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as PackageFile;
}

export interface Sources {
  /** Node's licence file. */
  node: string;
  /** A folder of unpacked Debian packages. */
  debian: string;
  packages: readonly BundledPackage[];
}

/** Writes the licences of all that the pack holds into `folder`. */
export function writeLicences(folder: string, { node, debian, packages }: Sources): void {
  mkdirSync(folder, { recursive: true });
  const mit = readFileSync(join(root, 'LICENSE'), 'utf8');
  writeFileSync(join(folder, 'cfs-studio'), mit);
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
  for (const { name, folder: from } of packages) {
    const file = readdirSync(from).find((entry) => /^licen[cs]e/i.test(entry));
    const to = join(folder, `npm-${name.replace('/', '-')}`);
    if (file !== undefined) cpSync(join(from, file), to);
    // Its packages name the licence and leave out the text.
    else if (name.startsWith('onnxruntime')) {
      writeFileSync(to, mit.replace(/^Copyright.*$/m, 'Copyright (c) Microsoft Corporation'));
    }
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
    'ONNX Runtime holds parts of others, listed in the file ThirdPartyNotices.txt of its repository.',
    '',
  ];
  writeFileSync(join(folder, 'README.md'), lines.join('\n'));
}
