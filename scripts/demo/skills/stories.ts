/**
 * Little stories: the skill that stands for “language” in the demo, measured by perplexity. A story
 * is a plot with two characters, a place and a thing; one in twenty of these combinations is held
 * out with everything that can be told about it.
 */
import type { Random } from '../../../src/random.js';
import { drawDistinct, drawUntil, fill, isHeldOut, pick, pickSeveral } from '../draw.js';
import { animals, beings, colours, foods, things, type Being } from '../words.js';
import type { Skill } from './skill.js';
import { openings, plots, type Plot } from './storyPlots.js';

const HELD_OUT_PARTS = 20;
const TASK_ROWS = 100;

const places = 'forest river hill market garden mill lake meadow barn bridge'.split(' ');
const homes = ['little house', 'hollow tree', 'stone hut', 'tall tower', 'warm cave', 'blue boat'];
const traits = 'small brave shy clever happy quiet young gentle funny lazy'.split(' ');
const times = 'morning evening day night summer winter'.split(' ');
const hides = 'tree stone hill door box'.split(' ');
const spots = ['long grass', 'cold water', 'old well', 'soft snow', 'dry leaves'];

interface Outline {
  plot: Plot;
  hero: Being;
  friend: Being;
  place: string;
  thing: string;
}

export const stories: Skill = {
  name: 'stories',
  weight: 6,
  document: (random) => tell(drawOutline(random, false), random),
  task: {
    name: 'stories',
    fields: {
      kind: 'loglikelihood_rolling',
      doc_to_target: '{{text}}',
      metrics: ['token_perplexity'],
    },
    rows: (random) =>
      drawDistinct(TASK_ROWS, () => drawOutline(random, true), keyOf).map((outline) => ({
        text: tell(outline, random),
      })),
  },
  fingerprint: (row) => row.text as string,
};

function drawOutline(random: Random, heldOut: boolean): Outline {
  return drawUntil(
    () => {
      const [hero, friend] = pickSeveral(beings, 2, random) as [Being, Being];
      return {
        plot: pick(plots, random),
        hero,
        friend,
        place: pick(places, random),
        thing: pick(things, random),
      };
    },
    (outline) => isHeldOut(keyOf(outline), HELD_OUT_PARTS) === heldOut,
  );
}

/** The friend is left out: a held-out story is new whoever helps in it. */
function keyOf({ plot, hero, place, thing }: Outline): string {
  return [plot.name, hero.name, place, thing].join('|');
}

function tell({ plot, hero, friend, place, thing }: Outline, random: Random): string {
  const [kind, fkind, small] = pickSeveral(animals, 3, random) as [string, string, string];
  const [hide, hide2] = pickSeveral(hides, 2, random) as [string, string];
  const bindings = {
    ...pronouns(hero),
    ...friendPronouns(friend),
    hero: hero.name,
    friend: friend.name,
    kind,
    fkind,
    small,
    place,
    thing,
    thing2: pick(
      things.filter((other) => other !== thing),
      random,
    ),
    adj: pick(colours, random),
    dark: pick(['black', 'grey'], random),
    trait: pick(traits, random),
    ftrait: pick(traits, random),
    home: pick(homes, random),
    time: pick(times, random),
    food: pick(foods, random),
    spot: pick(spots, random),
    weather: pick(['rain', 'snow', 'wind'], random),
    hide,
    hide2,
  };
  return [openings, ...plot.steps]
    .map((wordings) => fill(pick(wordings, random), bindings))
    .join(' ');
}

function pronouns({ she }: Being): Record<string, string> {
  return she
    ? { he: 'she', him: 'her', his: 'her', He: 'She', His: 'Her' }
    : { he: 'he', him: 'him', his: 'his', He: 'He', His: 'His' };
}

function friendPronouns({ she }: Being): Record<string, string> {
  return she ? { fhe: 'she', fhim: 'her', fhis: 'her' } : { fhe: 'he', fhim: 'him', fhis: 'his' };
}
