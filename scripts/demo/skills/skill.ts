/**
 * What a skill is to the rest of the demo: a source of training documents, and a task that measures
 * it on items which no training document contains. The files here know nothing of each other.
 */
import type { Random } from '../../../src/random.js';

/** One line of a task's data file. */
export type TaskRow = Record<string, string | number | readonly string[]>;

/** The YAML of a task, less the fields that follow from its name (`task`, `data`). */
export type TaskFields = Record<string, unknown>;

export interface SkillTask {
  name: string;
  fields: TaskFields;
  /** Held-out rows, all different. */
  rows(random: Random): TaskRow[];
}

export interface Skill {
  name: string;
  /** Share of the corpus's documents, relative to the other skills. */
  weight: number;
  /** One training document, without BOS and EOS. Holds no held-out item. */
  document(random: Random): string;
  task: SkillTask;
  /**
   * The lines of text (joined by newlines) by which a task row would give itself away in a training
   * document; used by the tests to prove the split.
   */
  fingerprint(row: TaskRow): string;
}
