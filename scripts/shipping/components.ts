/**
 * The work of others (and the demo) inside a package, each part with its licence. What the bundles hold
 * is told by esbuild, so nothing is listed that is not there; a part whose licence we do not know, do not
 * accept or cannot show ends the build.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

export const root = join(import.meta.dirname, '..', '..');

/**
 * Licences that we accept for what we ship: all let it be passed on in any form as long as their text
 * goes with it. Another one is a decision, and is made here.
 */
export const acceptedLicences = ['0BSD', 'Apache-2.0', 'BSD-3-Clause', 'ISC', 'MIT'] as const;

export interface ShippedFile {
  /** In the package. */
  path: string;
  sha256: string;
}

export interface Component {
  type: 'library' | 'machine-learning-model' | 'data';
  name: string;
  version: string;
  licence: string;
  /** The licence, and notices that go with it, in full. */
  texts: string[];
  /** Those that are in the package as they came; a bundle holds parts of the others. */
  files: ShippedFile[];
  /** Of what comes from npm. */
  npm?: { purl: string; sha512: string };
}

/**
 * Texts of packages that name a licence and leave the text out, from their repositories. Those of a
 * package that holds parts of others are of one version of it.
 */
const textsHere: Record<string, { texts: string[]; version?: string }> = {
  '@microsoft/fast-element': { texts: ['microsoft-fast.txt'] },
  '@microsoft/fast-foundation': { texts: ['microsoft-fast.txt'] },
  '@microsoft/fast-web-utilities': { texts: ['microsoft-fast.txt'] },
  'onnxruntime-common': { texts: ['onnxruntime-LICENSE.txt'] },
  'onnxruntime-node': {
    texts: ['onnxruntime-LICENSE.txt', 'onnxruntime-ThirdPartyNotices.txt'],
    version: '1.30.0',
  },
};

/**
 * Libraries beside ONNX Runtime's own on Windows, with the package that holds their licence. Their
 * texts must lie in `texts/` before they can be shipped.
 */
const foreignLibraries: Record<string, { text: string; from: string }> = {
  'DirectML.dll': { text: 'directml.txt', from: 'Microsoft.AI.DirectML 1.15.4' },
  'dxcompiler.dll': { text: 'dxc.txt', from: 'Microsoft.Direct3D.DXC 1.8.2502.8' },
  'dxil.dll': { text: 'dxc.txt', from: 'Microsoft.Direct3D.DXC 1.8.2502.8' },
};

const manifestSchema = z.object({ name: z.string(), version: z.string(), license: z.string() });

const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ integrity: z.string().optional() })),
});
const { packages: lockedPackages } = lockSchema.parse(JSON.parse(read('package-lock.json')));

/** The npm packages that files of a bundle come from; `files` are relative to the repository. */
export function bundledPackages(files: readonly string[]): Component[] {
  const pattern = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;
  const folders = new Set(files.flatMap((file) => pattern.exec(file)?.[1] ?? []));
  return [...folders].map(readPackage).toSorted(byName);
}

/** ONNX Runtime as it lies in `stage`, the folder of a package. */
export function runtimePackages(stage: string): Component[] {
  return ['onnxruntime-common', 'onnxruntime-node'].map((name) => {
    const files = filesOf(stage, `dist/node_modules/${name}`);
    const component = readPackage(`node_modules/${name}`);
    const foreign = files.flatMap(({ path }) => foreignTexts(path.split('/').at(-1) ?? ''));
    return { ...component, texts: [...new Set([...component.texts, ...foreign])], files };
  });
}

/** The demo, which is ours, but no program. */
export function demoParts(stage: string, version: string): Component[] {
  const files = filesOf(stage, 'media/demo');
  const isModel = ({ path }: ShippedFile): boolean => path.startsWith('media/demo/model/');
  const licence = 'MIT';
  const texts = [read('media', 'demo', 'model', 'LICENSE')];
  return [
    {
      ...{ type: 'data', name: 'cfs-studio-demo-data', version, licence, texts },
      files: files.filter((file) => !isModel(file)),
    },
    {
      ...{ type: 'machine-learning-model', name: 'cfs-studio-demo-model', version, licence, texts },
      files: files.filter(isModel),
    },
  ];
}

/** `folder` is relative to the repository. Throws where it cannot be shipped as it is. */
export function readPackage(folder: string): Component {
  const { name, version, license } = manifestSchema.parse(JSON.parse(read(folder, 'package.json')));
  if (!acceptedLicences.some((accepted) => accepted === license)) {
    throw new Error(`${name} ${version} has the licence ${license}, which is not accepted.`);
  }
  const texts = licenceTexts(name, version, folder);
  if (texts.length === 0) {
    throw new Error(`${name} ${version} has no licence text; add it to scripts/shipping/texts.`);
  }
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const npm = { purl, sha512: integrityOf(folder) };
  return { type: 'library', name, version, licence: license, texts, files: [], npm };
}

function licenceTexts(name: string, version: string, folder: string): string[] {
  const own = readdirSync(join(root, folder))
    .filter((file) => /^(licen[cs]e|copying|notice|copyright|third-?party-?notice)/i.test(file))
    .toSorted();
  const found = own.filter((file) => /^(licen[cs]e|copying)/i.test(file));
  if (found.length > 0) return own.map((file) => read(folder, file));
  const held = Object.hasOwn(textsHere, name) ? textsHere[name] : undefined;
  if (held?.version !== undefined && held.version !== version) {
    throw new Error(`The texts of ${name} are those of ${held.version}; replace them.`);
  }
  return (held?.texts ?? []).map((file) => read('scripts', 'shipping', 'texts', file));
}

function foreignTexts(file: string): string[] {
  if (!Object.hasOwn(foreignLibraries, file)) return [];
  const { text, from } = foreignLibraries[file] ?? { text: '', from: '' };
  if (!existsSync(join(root, 'scripts', 'shipping', 'texts', text))) {
    throw new Error(
      `${file} cannot be shipped without its licence: put that of ${from} into scripts/shipping/texts/${text}.`,
    );
  }
  return [read('scripts', 'shipping', 'texts', text)];
}

/** What npm holds the package's archive to, in hexadecimal. */
function integrityOf(folder: string): string {
  const [kind, base64] = lockedPackages[folder]?.integrity?.split('-') ?? [];
  if (kind !== 'sha512' || base64 === undefined) {
    throw new Error(`package-lock.json has no SHA-512 hash of ${folder}.`);
  }
  return Buffer.from(base64, 'base64').toString('hex');
}

function filesOf(stage: string, folder: string): ShippedFile[] {
  return readdirSync(join(stage, folder), { encoding: 'utf8', recursive: true })
    .map((path) => `${folder}/${path.replaceAll('\\', '/')}`)
    .filter((path) => statSync(join(stage, path)).isFile())
    .toSorted()
    .map((path) => {
      const sha256 = createHash('sha256')
        .update(readFileSync(join(stage, path)))
        .digest('hex');
      return { path, sha256 };
    });
}

function byName(a: Component, b: Component): number {
  const [left, right] = [`${a.name}@${a.version}`, `${b.name}@${b.version}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

function read(...path: string[]): string {
  return readFileSync(join(root, ...path), 'utf8');
}
