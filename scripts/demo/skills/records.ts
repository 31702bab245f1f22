/**
 * Records: a few key-value records, then questions about them. Nothing here can be remembered; the
 * answer stands in the text and must be looked up by name and by field. Both are written as in the
 * record, space included, so that they are the same tokens there and here.
 */
import { defined } from '../../../src/errors.js';
import type { Random } from '../../../src/random.js';
import {
  between,
  drawDistinct,
  drawUntil,
  isHeldOut,
  pick,
  pickSeveral,
  shuffle,
} from '../draw.js';
import { animals, colours, foods, names, things } from '../words.js';
import type { Skill, TaskRow } from './skill.js';

const HELD_OUT_PARTS = 20;
const TASK_ROWS = 120;

const ages: readonly string[] = Array.from({ length: 90 }, (_, i) => String(i + 10));
const fields: ReadonlyMap<string, readonly string[]> = new Map([
  ['age', ages],
  ['pet', animals],
  ['colour', colours],
  ['food', foods],
  ['item', things],
]);

/** Field → value, `name` first. */
type Entry = ReadonlyMap<string, string>;

export const records: Skill = {
  name: 'records',
  weight: 6,
  document: (random) => {
    const entries = drawEntries(between(1, 3, random), random, false);
    const questions = Array.from({ length: between(4, 7, random) }, () => {
      const entry = pick(entries, random);
      const field = pick(fieldsOf(entry), random);
      return `${question(entry, field)} ${valueOf(entry, field)}`;
    });
    return [...entries.map(print), ...questions].join('\n');
  },
  task: {
    name: 'records',
    fields: {
      kind: 'multiple_choice',
      doc_to_text: '{{records}}\n{{question}}',
      doc_to_choice: 'choices',
      doc_to_target: 'answer',
      metrics: ['acc'],
    },
    rows: (random) =>
      drawDistinct(
        TASK_ROWS,
        () => drawEntries(3, random, true),
        (entries) => entries.map(print).join('\n'),
      ).map((entries) => taskRow(entries, random)),
  },
  fingerprint: (row) => row.records as string,
};

/** Records with the same two or three fields, in which no value occurs twice. */
function drawEntries(count: number, random: Random, heldOut: boolean): Entry[] {
  return drawUntil(
    () => {
      const chosen = pickSeveral([...fields.keys()], between(2, 3, random), random);
      const people = pickSeveral(names, count, random);
      const columns = chosen.map((field) => pickSeveral(valuesOf(field), count, random));
      return people.map(
        (name, row): Entry =>
          new Map([
            ['name', name],
            ...chosen.map((field, column): [string, string] => [
              field,
              defined(columns[column]?.[row], 'value of a record'),
            ]),
          ]),
      );
    },
    (entries) => isHeldOut(entries.map(print).join('\n'), HELD_OUT_PARTS) === heldOut,
  );
}

/** Two wrong choices stand in the other records under the same field; one stands nowhere. */
function taskRow(entries: Entry[], random: Random): TaskRow {
  const entry = pick(entries, random);
  const field = pick(fieldsOf(entry), random);
  const present = entries.map((other) => valueOf(other, field));
  const absent = pick(
    valuesOf(field).filter((value) => !present.includes(value)),
    random,
  );
  const choices = shuffle([...present, absent], random);
  return {
    records: entries.map(print).join('\n'),
    question: question(entry, field),
    choices,
    answer: choices.indexOf(valueOf(entry, field)),
  };
}

function print(entry: Entry): string {
  return `{${[...entry].map(([field, value]) => `${field}: ${value}`).join('; ')}}`;
}

function question(entry: Entry, field: string): string {
  return `the ${field} of ${valueOf(entry, 'name')}?`;
}

function fieldsOf(entry: Entry): string[] {
  return [...entry.keys()].filter((field) => field !== 'name');
}

function valueOf(entry: Entry, field: string): string {
  return defined(entry.get(field), `field ${field}`);
}

function valuesOf(field: string): readonly string[] {
  return defined(fields.get(field), `values of ${field}`);
}
