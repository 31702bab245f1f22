/** The page about `run.yaml` says what the schema says. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { configurationFile, configurationPage } from '../../../scripts/configurationDocs.js';

it('docs/configuration.md is up to date with the schema (npm run docs)', () => {
  // The formatter pads the columns of tables.
  const plain = (text: string): string => text.replaceAll(/ +|-{3,}/g, ' ').trim();
  expect(plain(readFileSync(configurationFile, 'utf8'))).toBe(plain(configurationPage()));
});
