/** The page about `run.yaml` says what the schema says. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import {
  configurationFile,
  configurationPage,
  dataExample,
} from '../../../scripts/configurationDocs.js';
import { parseRunConfig } from '../../../src/runs/config.js';

it('docs/configuration.md is up to date with the schema (npm run docs)', () => {
  // The formatter pads the columns of tables.
  const plain = (text: string): string => text.replaceAll(/ +|-{3,}/g, ' ').trim();
  expect(plain(readFileSync(configurationFile, 'utf8'))).toBe(plain(configurationPage()));
});

it('says how a source is read, with an example that is read', () => {
  const page = configurationPage();
  for (const field of ['path', 'columns', 'template.prompt', 'template.response', 'list']) {
    expect(page).toContain(`\n| \`${field}\` |`);
  }
  expect(page).toContain(dataExample);
  const { dataset, evaluation } = parseRunConfig(dataExample, '/project/run.yaml');
  expect(dataset).toEqual([
    { path: '/project/tickets.jsonl' },
    { path: '/project/restaurants.csv', columns: { prompt: 'mr', response: 'ref' } },
    {
      path: '/project/articles.json',
      list: 'rows',
      template: { prompt: 'Summarize: {{ body }}', response: ' {{ summary }}' },
    },
  ]);
  expect(evaluation).toMatchObject({
    downstream: [{ path: '/project/held-out.jsonl' }],
    tasks: ['/project/tasks/capitals.yaml'],
  });
});
