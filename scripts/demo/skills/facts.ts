/**
 * Facts of the invented country, as portraits of a city and as questions with answers. Every fact is
 * taught; held out is one of its three question wordings, which the task then asks: the model must
 * have kept the fact, not the string.
 */
import { defined } from '../../../src/errors.js';
import type { Random } from '../../../src/random.js';
import { between, fill, hash, pick, pickSeveral, shuffle } from '../draw.js';
import { cities, facts as worldFacts, type Fact } from '../world.js';
import type { Skill, TaskRow } from './skill.js';

export const facts: Skill = {
  name: 'facts',
  weight: 5,
  document: (random) => (random.below(3) === 0 ? portrait(random) : questions(random)),
  task: {
    name: 'facts',
    fields: {
      kind: 'multiple_choice',
      doc_to_text: 'Q: {{question}}\nA:',
      doc_to_choice: 'choices',
      doc_to_target: 'answer',
      metrics: ['acc'],
    },
    rows: (random) => shuffle(worldFacts, random).map((fact) => taskRow(fact, random)),
  },
  fingerprint: (row) => `Q: ${row.question as string}`,
};

/** Four to six facts of one city, in random order and wording. */
function portrait(random: Random): string {
  const city = pick(cities, random);
  const own = worldFacts.filter((fact) => fact.city === city);
  const told = pickSeveral(own, between(4, own.length, random), random);
  return told.map((fact) => print(pick(fact.relation.statements, random), fact)).join(' ');
}

function questions(random: Random): string {
  const asked = pickSeveral(worldFacts, between(5, 8, random), random);
  return asked
    .map((fact) => {
      const taught = fact.relation.questions.filter((question) => question !== heldOut(fact));
      return `Q: ${print(pick(taught, random), fact)}\nA: ${fact.value}`;
    })
    .join('\n');
}

/** The wording in which this fact is never asked in training. */
function heldOut({ city, relation }: Fact): string {
  const index = hash(`${relation.name} of ${city}`) % relation.questions.length;
  return defined(relation.questions[index], 'held-out wording');
}

/** The wrong choices are what the same question would be answered for other cities. */
function taskRow(fact: Fact, random: Random): TaskRow {
  const others = fact.relation.values.filter((value) => value !== fact.value);
  const choices = shuffle([fact.value, ...pickSeveral(others, 3, random)], random);
  return { question: print(heldOut(fact), fact), choices, answer: choices.indexOf(fact.value) };
}

function print(template: string, { city, value }: Fact): string {
  return fill(template, { city, value });
}
