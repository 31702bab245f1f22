/**
 * bom.json: the parts of a package in the words of CycloneDX 1.6, for tools that look for known
 * weaknesses. The same package gives the same bytes, so it has no time and its number is a hash.
 */
import { createHash } from 'node:crypto';
import type { Component } from './components.js';

export const bomName = 'bom.json';

export interface Product {
  name: string;
  version: string;
  /** The platform whose native files are in it, or `any`. */
  target: string;
}

export function writeBom({ name, version, target }: Product, components: readonly Component[]) {
  const own = { name, version, purl: `pkg:npm/${name}@${version}` };
  const parts = components.map(describe);
  const body = {
    version: 1,
    metadata: {
      component: {
        ...{ type: 'application', 'bom-ref': own.purl, ...own },
        licenses: [{ license: { id: 'MIT' } }],
        properties: [{ name: 'cfs-studio:target', value: target }],
      },
    },
    components: parts,
    dependencies: [{ ref: own.purl, dependsOn: parts.map((part) => part['bom-ref']) }],
  };
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(JSON.stringify(body))}`,
    ...body,
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}

function describe({ type, name, version, licence, files, npm }: Component) {
  const ref = npm?.purl ?? `${name}@${version}`;
  return {
    ...{ type, 'bom-ref': ref, name, version },
    licenses: [{ license: { id: licence } }],
    ...(npm && { purl: npm.purl, hashes: [{ alg: 'SHA-512', content: npm.sha512 }] }),
    ...(files.length > 0 && {
      components: files.map(({ path, sha256 }) => ({
        ...{ type: 'file', 'bom-ref': `${ref}#${path}`, name: path },
        hashes: [{ alg: 'SHA-256', content: sha256 }],
      })),
    }),
  };
}

/** A UUID of the kind that is free for use (version 8). */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
