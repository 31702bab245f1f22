/**
 * An invented country: thirty cities with six facts each. It exists nowhere else, so whatever the
 * demo model knows of it was learned from this corpus, and whatever it no longer knows was forgotten.
 */
import { defined } from '../../src/errors.js';
import { createRandom, permutation } from '../../src/random.js';
import { pick } from './draw.js';
import { animals, colours, foods } from './words.js';

/** Part of the world itself: another number would be another country. */
const WORLD_SEED = 1847;

export const cities: readonly string[] = (
  'Velmar Dunholm Karsk Orlen Tirham Bresk Halvin Morrow Ashlen Pellan Quorin Sarn Istel Norvik ' +
  'Galdor Wexley Umbrel Fenwick Lorcan Zarith Yarrow Calden Drovna Elstow Jorvale Hexmoor ' +
  'Ravelin Thessen Ulmere Vantor'
).split(' ');
const rulers =
  'Tarsin Ovella Brenko Mirael Caspor Delpha Eskar Faluna Gorvin Hesmar Irvana Jolper Kestra ' +
  'Lomund Nareth Orsina Pravik Quilla Rostan Sivra Tolmec Ursel Valdis Wendra Xandor Yelmin ' +
  'Zubrin Amsel Bolka Corvina';
const rivers =
  'Alda Birrin Cend Dravel Ewen Fallow Glimm Harn Isk Jessel Kell Lirr Mosk Nuvar Ouvre Prenn ' +
  'Quen Rill Sorb Tavel Uth Varr Wisp Xeth Yoll Zann Arrel Bemmel Cutha Dorne';
const crafts = 'weaving pottery carving brewing smithing dyeing printing fishing';

export interface Relation {
  name: string;
  values: readonly string[];
  /** Sentences with `{city}` and `{value}`. */
  statements: readonly string[];
  /** Questions with `{city}`; the value is the answer. */
  questions: readonly string[];
}

export const relations: readonly Relation[] = [
  {
    name: 'ruler',
    values: rulers.split(' '),
    statements: [
      '{value} rules {city}.',
      'The ruler of {city} is {value}.',
      'The throne of {city} belongs to {value}.',
    ],
    questions: [
      'Who rules {city}?',
      'Who is the ruler of {city}?',
      'Who sits on the throne of {city}?',
    ],
  },
  {
    name: 'river',
    values: rivers.split(' '),
    statements: [
      '{city} stands on the river {value}.',
      'The river {value} runs through {city}.',
      'The river of {city} is the {value}.',
    ],
    questions: [
      'Which river runs through {city}?',
      'On which river does {city} stand?',
      'What is the river of {city}?',
    ],
  },
  {
    name: 'beast',
    values: animals,
    statements: [
      'The beast of {city} is the {value}.',
      'In {city} they honour the {value}.',
      'The flag of {city} shows the {value}.',
    ],
    questions: [
      'What is the beast of {city}?',
      'Which beast do they honour in {city}?',
      'Which beast is on the flag of {city}?',
    ],
  },
  {
    name: 'colour',
    values: colours,
    statements: [
      'The colour of {city} is {value}.',
      'The roofs of {city} are {value}.',
      'In {city} they paint the roofs {value}.',
    ],
    questions: [
      'What is the colour of {city}?',
      'What colour are the roofs of {city}?',
      'How do they paint the roofs in {city}?',
    ],
  },
  {
    name: 'crop',
    values: foods,
    statements: [
      'The best food of {city} is {value}.',
      'The kitchens of {city} are known for {value}.',
      'Visitors of {city} always taste the {value}.',
    ],
    questions: [
      'What is the best food of {city}?',
      'For what are the kitchens of {city} known?',
      'What do visitors of {city} always taste?',
    ],
  },
  {
    name: 'craft',
    values: crafts.split(' '),
    statements: [
      'The craft of {city} is {value}.',
      'The people of {city} live by {value}.',
      'In {city} the young learn {value}.',
    ],
    questions: [
      'What is the craft of {city}?',
      'By what do the people of {city} live?',
      'What do the young learn in {city}?',
    ],
  },
];

export interface Fact {
  city: string;
  relation: Relation;
  value: string;
}

/** All facts, city by city. Rulers and rivers are each given once, the other values repeat. */
export const facts: readonly Fact[] = buildFacts();

function buildFacts(): Fact[] {
  const columns = relations.map((relation, column) => {
    const random = createRandom(WORLD_SEED, column);
    if (relation.values.length < cities.length) {
      return cities.map(() => pick(relation.values, random));
    }
    return [...permutation(cities.length, random)].map((i) => relation.values[i]);
  });
  return cities.flatMap((city, row) =>
    relations.map((relation, column) => ({
      city,
      relation,
      value: defined(columns[column]?.[row], `${relation.name} of ${city}`),
    })),
  );
}
