/** THIRD_PARTY_NOTICES.txt: every part of a package that has a licence of its own, with its text. */
import type { Component } from './components.js';

export const noticesName = 'THIRD_PARTY_NOTICES.txt';

const line = '='.repeat(80);

export function writeNotices(product: string, components: readonly Component[]): string {
  const parts = components.map(({ name, version, licence, texts }) =>
    [
      line,
      `${name} ${version}`,
      `Licence: ${licence}`,
      line,
      ...texts.map((text) => text.replaceAll('\r\n', '\n').trim()),
    ].join('\n\n'),
  );
  const head = `What ${product} holds of others, and its demo, with their licences.`;
  return `${[head, ...parts].join('\n\n')}\n`;
}
