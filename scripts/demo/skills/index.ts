/** The list of skills that the demo model is pretrained on; the order is part of the corpus. */
import { arithmetic } from './arithmetic.js';
import { facts } from './facts.js';
import { records } from './records.js';
import type { Skill } from './skill.js';
import { sorting } from './sorting.js';
import { stories } from './stories.js';

export const skills: readonly Skill[] = [stories, arithmetic, sorting, facts, records];
