/** Tasks are the same while their files are. */
import { appendFileSync, cpSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { identifyTasks } from '../../../src/engine/identity.js';
import { temporaryFolder, writeWorkspace } from '../../support/tinyModel.js';

it('tells changed tasks from the same in another place', () => {
  const workspace = writeWorkspace(temporaryFolder());
  const elsewhere = temporaryFolder();
  cpSync(join(workspace, 'tasks'), elsewhere, { recursive: true });
  const of = (folder: string) =>
    identifyTasks(['choice', 'text'].map((name) => join(folder, `${name}.yaml`)));
  const before = of(join(workspace, 'tasks'));
  expect(Object.keys(before)).toEqual(['choice', 'text']);
  expect(before.choice).not.toBe(before.text);
  expect(of(elsewhere)).toEqual(before);

  appendFileSync(join(elsewhere, 'choice.jsonl'), '\n');
  const data = of(elsewhere);
  expect(data.choice).not.toBe(before.choice);
  expect(data.text).toBe(before.text);
  appendFileSync(join(elsewhere, 'text.yaml'), '# More.\n');
  expect(of(elsewhere).text).not.toBe(before.text);
});
