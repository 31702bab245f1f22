/**
 * The pretraining corpus of the demo model: an endless, seeded stream of documents of all skills.
 * Document i depends on the seed and on i alone, so a part can be made again without what precedes.
 */
import { defined } from '../../src/errors.js';
import { createRandom, type Random } from '../../src/random.js';
import { skills } from './skills/index.js';
import type { Skill } from './skills/skill.js';

export interface CorpusOptions {
  seed: number;
  documents: number;
}

export interface CorpusDocument {
  skill: string;
  /** Plain text, to be wrapped in BOS and EOS by whoever makes tokens of it. */
  text: string;
}

/** The first `documents` training documents of `seed`. */
export function* generateCorpus({ seed, documents }: CorpusOptions): Iterable<CorpusDocument> {
  for (let i = 0; i < documents; i++) {
    const random = createRandom(seed, i);
    const skill = drawSkill(random);
    yield { skill: skill.name, text: skill.document(random) };
  }
}

const totalWeight = skills.reduce((sum, skill) => sum + skill.weight, 0);

function drawSkill(random: Random): Skill {
  let left = random.below(totalWeight);
  return defined(
    skills.find((skill) => (left -= skill.weight) < 0),
    'skill for the draw',
  );
}
