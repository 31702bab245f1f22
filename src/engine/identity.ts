/** What a run depends on, by content: so that a later look can tell the same from the changed. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readDefinition, taskFiles } from '../evaluator/task.js';
import type { Source } from '../mixer/mixer.js';
import type { Identity } from '../protocol/records.js';

/** The hash of each source's rows, by its id. */
export function identifySources(sources: readonly Source[]): Identity['sources'] {
  return Object.fromEntries(sources.map(({ id, rows }) => [id, rows.hash()]));
}

/**
 * The hash of each task, by its name: SHA-256 over those of its definition and of the files of its
 * data. To be taken when the tasks are loaded, since people may edit them while a run continues.
 */
export function identifyTasks(files: readonly string[]): Identity['tasks'] {
  return Object.fromEntries(
    files.map((file) => {
      const definition = readDefinition(file);
      const hash = createHash('sha256');
      for (const part of [file, ...taskFiles(definition, file)]) {
        hash.update(createHash('sha256').update(readFileSync(part)).digest());
      }
      return [definition.task, hash.digest('hex')];
    }),
  );
}
