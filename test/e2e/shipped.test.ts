/**
 * What we ship, opened: both packages say whose work is in them and under which licences, completely and
 * without anything that is not there.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { defined } from '../../src/errors.js';
import {
  acceptedLicences,
  bundledPackages,
  readPackage,
} from '../../scripts/shipping/components.js';
import { findSecrets, plantedSecrets } from '../support/secrets.js';
import { temporaryFolder } from '../support/tinyModel.js';
import { unzip } from '../support/zip.js';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const platform = `${process.platform}-${process.arch}`;
const out = temporaryFolder();

/** Files by path, as they are installed. */
type Files = Map<string, Buffer>;
let vsix: Files = new Map();
let terminal: Files = new Map();

beforeAll(async () => {
  for (const target of [platform, 'terminal']) {
    const args = ['--import', 'tsx', 'scripts/package.ts', '--target', target, '--out', out];
    await run(process.execPath, args, { cwd: root, env: { ...process.env, ...plantedSecrets } });
  }
  const archive = (end: string): string =>
    join(
      out,
      defined(
        readdirSync(out).find((name) => name.endsWith(end)),
        end,
      ),
    );
  vsix = inFolder('extension/', unzip(readFileSync(archive('.vsix'))));
  const folder = temporaryFolder();
  await run('tar', ['-xzf', archive('.tgz'), '-C', folder]);
  terminal = inFolder('package/', readAll(folder));
}, 600_000);

function inFolder(folder: string, files: Files): Files {
  const inside = [...files].filter(([path]) => path.startsWith(folder));
  return new Map(inside.map(([path, bytes]) => [path.slice(folder.length), bytes]));
}

function readAll(folder: string): Files {
  const paths = readdirSync(folder, { encoding: 'utf8', recursive: true });
  const files = paths.filter((path) => statSync(join(folder, path)).isFile());
  return new Map(
    files.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(folder, path))]),
  );
}

const packageOf = /^.*node_modules\/(@[^/]+\/)?[^/]+/;
/** `name version` of each npm package that the source maps of a build with maps name as a source. */
function mappedPackages(): string[] {
  const bundles = inject('bundles');
  const maps = readdirSync(bundles, { encoding: 'utf8', recursive: true }).filter((path) =>
    path.endsWith('.map'),
  );
  const folders = maps.flatMap((map) => {
    const { sources } = z
      .object({ sources: z.array(z.string()) })
      .parse(JSON.parse(readFileSync(join(bundles, map), 'utf8')));
    const files = sources.map((file) => relative(root, resolve(bundles, dirname(map), file)));
    return files.flatMap((file) => packageOf.exec(file.replaceAll('\\', '/'))?.[0] ?? []);
  });
  const names = folders.map((folder) => {
    const { name, version } = z
      .object({ name: z.string(), version: z.string() })
      .parse(JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')));
    return `${name} ${version}`;
  });
  return [...new Set(names)].toSorted();
}

const hash = z.discriminatedUnion('alg', [
  z.object({ alg: z.literal('SHA-256'), content: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.object({ alg: z.literal('SHA-512'), content: z.string().regex(/^[0-9a-f]{128}$/) }),
]);
const licences = z
  .array(z.strictObject({ license: z.strictObject({ id: z.enum(acceptedLicences) }) }))
  .length(1);
const file = z.strictObject({
  type: z.literal('file'),
  'bom-ref': z.string().min(1),
  name: z.string().min(1),
  hashes: z.array(hash).min(1),
});
/** What CycloneDX 1.6 requires, with the values it allows, and what we promise beyond that. */
const bomSchema = z.strictObject({
  $schema: z.literal('http://cyclonedx.org/schema/bom-1.6.schema.json'),
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.6'),
  serialNumber: z
    .string()
    .regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/),
  version: z.int().min(1),
  metadata: z.strictObject({
    component: z.strictObject({
      type: z.literal('application'),
      'bom-ref': z.string(),
      name: z.literal('cfs-studio'),
      version: z.string(),
      purl: z.string(),
      licenses: licences,
      properties: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    }),
  }),
  components: z.array(
    z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('library'),
        'bom-ref': z.string(),
        name: z.string(),
        version: z.string(),
        licenses: licences,
        purl: z.string().regex(/^pkg:npm\/(%40[^/@]+\/)?[^/@]+@[^/@]+$/),
        hashes: z.array(hash).min(1),
        components: z.array(file).optional(),
      }),
      z.strictObject({
        type: z.enum(['machine-learning-model', 'data']),
        'bom-ref': z.string(),
        name: z.string(),
        version: z.string(),
        licenses: licences,
        components: z.array(file).min(1),
      }),
    ]),
  ),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

const text = (files: Files, path: string): string =>
  defined(files.get(path), path).toString('utf8');
const bomOf = (files: Files) => bomSchema.parse(JSON.parse(text(files, 'bom.json')));
const line = '='.repeat(80);
/** `name version` of each part of the notices, with what follows it. */
const noticesOf = (files: Files): Map<string, string> => {
  const [, ...parts] = text(files, 'THIRD_PARTY_NOTICES.txt').split(`${line}\n\n`);
  const pairs = parts.flatMap((head, i) => {
    const [name] = /^.* \d+\.\d+\.\d+(?=\n\nLicence: \S+\n\n$)/.exec(head) ?? [];
    return name === undefined ? [] : [[name, parts[i + 1] ?? ''] as const];
  });
  return new Map(pairs);
};

const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
const demo = [`cfs-studio-demo-data ${version}`, `cfs-studio-demo-model ${version}`];
const runtime = ['onnxruntime-common', 'onnxruntime-node'].map((name) => {
  return `${name} ${readPackage(`node_modules/${name}`).version}`;
});

describe.each([
  ['the extension', () => vsix, [...demo, ...runtime]],
  ['the package for terminals', () => terminal, demo],
])('%s', (_, files, besides) => {
  it('lists exactly what is in its bundles and beside them, in notices and in bom.json', () => {
    const expected = [...mappedPackages(), ...besides].toSorted();
    expect(expected.length).toBeGreaterThan(15);
    expect([...noticesOf(files()).keys()].toSorted()).toEqual(expected);
    const { components } = bomOf(files());
    expect(components.map((part) => `${part.name} ${part.version}`).toSorted()).toEqual(expected);
  });

  it('has the text of each licence', () => {
    for (const [name, notice] of noticesOf(files())) {
      expect(notice, name).toMatch(/permission|redistribution|apache license/i);
      expect(notice, name).toMatch(/copyright/i);
    }
    const own = [...files().keys()].find((path) => /^license(\.txt|\.md)?$/i.test(path));
    expect(text(files(), defined(own, 'licence'))).toContain('MIT');
  });

  it('has a bom.json whose names are unique and refer to something', () => {
    const { metadata, components, dependencies } = bomOf(files());
    const parts = components.flatMap((part) => [part, ...(part.components ?? [])]);
    const refs = [metadata.component, ...parts].map((part) => part['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    const named = dependencies.flatMap(({ ref, dependsOn }) => [ref, ...dependsOn]);
    expect(named.filter((ref) => !refs.includes(ref))).toEqual([]);
  });

  it('has every file that bom.json names, with the hash that it says', () => {
    const parts = bomOf(files()).components.flatMap((part) => part.components ?? []);
    expect(parts.length).toBeGreaterThan(10);
    for (const { name, hashes } of parts) {
      const bytes = defined(files().get(name), name);
      const content = createHash('sha256').update(bytes).digest('hex');
      expect(hashes, name).toEqual([{ alg: 'SHA-256', content }]);
    }
  });

  it('has no file of others, or of the demo, that bom.json does not name', () => {
    const parts = bomOf(files()).components.flatMap((part) => part.components ?? []);
    const named = new Set(parts.map(({ name }) => name));
    const foreign = [...files().keys()].filter((path) =>
      /node_modules\/|^media\/demo\//.test(path),
    );
    expect(foreign.filter((path) => !named.has(path))).toEqual([]);
  });

  it('has no script that runs when it is installed, and no run of anybody', () => {
    const manifests = [...files().keys()].filter((path) => /(^|\/)package\.json$/.test(path));
    expect(manifests.length).toBeGreaterThan(0);
    for (const path of manifests) {
      expect(Object.keys(JSON.parse(text(files(), path)) as object), path).not.toContain('scripts');
    }
    expect([...files().keys()].filter((path) => path.split('/').includes('.cfs'))).toEqual([]);
  });
});

it('the extension has the native files of its platform only', () => {
  const natives = [...vsix.keys()].filter((path) => /\.(node|so(\.\d+)*|dylib|dll)$/.test(path));
  const own = `dist/node_modules/onnxruntime-node/bin/napi-v6/${process.platform}/${process.arch}/`;
  expect(natives.length).toBeGreaterThan(1);
  expect(natives.filter((path) => !path.startsWith(own))).toEqual([]);
  const named = bomOf(vsix).components.find(({ name }) => name === 'onnxruntime-node');
  expect(named?.components?.map(({ name }) => name)).toEqual(expect.arrayContaining(natives));
  expect(noticesOf(vsix).get(runtime[1] ?? '')).toMatch(/THIRD PARTY SOFTWARE NOTICES[^]*dawn/);
});

it('the package for terminals has npm install ONNX Runtime and nothing else', () => {
  const { dependencies } = z
    .object({ dependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(text(terminal, 'package.json')));
  expect(Object.keys(dependencies)).toEqual(['onnxruntime-node']);
});

it.each([
  ['the extension', () => vsix],
  ['the package for terminals', () => terminal],
])('%s holds no secret of whoever made it', (_, files) => {
  // ONNX Runtime's are as they came: their hashes say so.
  const ours = [...files()].filter(([path]) => !path.includes('node_modules/'));
  expect(
    ours.flatMap(([path, bytes]) => findSecrets(bytes).map((name) => `${name} in ${path}`)),
  ).toEqual([]);
});

describe('what cannot be shipped', () => {
  it.each([
    ['a licence that nobody accepted', 'node_modules/axe-core', /MPL-2\.0, which is not accepted/],
    [
      'a package without a licence text',
      'node_modules/@microsoft/fast-react-wrapper',
      /no licence text/,
    ],
  ])('is %s', (_, folder, refused) => {
    expect(() => readPackage(folder)).toThrow(refused);
  });

  it('is only looked for in what is bundled', () => {
    expect(bundledPackages(['src/errors.ts', 'node_modules/zod/v4/core.js'])).toMatchObject([
      {
        name: 'zod',
        licence: 'MIT',
        npm: { purl: expect.stringMatching(/^pkg:npm\/zod@/) as string },
      },
    ]);
  });
});
