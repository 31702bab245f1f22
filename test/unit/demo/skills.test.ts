/**
 * The demo's claims rest on its corpus: that what it teaches is right, and that what it measures was
 * never taught. Both are checked on the documents themselves.
 */
import { describe, expect, it } from 'vitest';
import { generateCorpus } from '../../../scripts/demo/corpus.js';
import { downstreamRows, downstreamTask } from '../../../scripts/demo/downstream.js';
import { skills } from '../../../scripts/demo/skills/index.js';
import type { Skill, TaskRow } from '../../../scripts/demo/skills/skill.js';
import { sortableWords } from '../../../scripts/demo/skills/sorting.js';
import { beings } from '../../../scripts/demo/words.js';
import { cities, facts, relations } from '../../../scripts/demo/world.js';
import { defined } from '../../../src/errors.js';
import { createRandom } from '../../../src/random.js';

const DOCUMENTS = 20_000;
const corpus = [...generateCorpus({ seed: 1, documents: DOCUMENTS })];
const textsOf = (name: string): string[] =>
  corpus.filter(({ skill }) => skill === name).map(({ text }) => text);
const skillNamed = (name: string): Skill =>
  defined(
    skills.find((skill) => skill.name === name),
    name,
  );
const rowsOf = (name: string): TaskRow[] => skillNamed(name).task.rows(createRandom(1));

describe('the corpus', () => {
  it('is the same for the same seed, and another for another seed', () => {
    const first = [...generateCorpus({ seed: 5, documents: 50 })];
    expect([...generateCorpus({ seed: 5, documents: 50 })]).toEqual(first);
    expect([...generateCorpus({ seed: 6, documents: 50 })]).not.toEqual(first);
  });

  it('holds every skill in proportion to its weight', () => {
    const total = skills.reduce((sum, { weight }) => sum + weight, 0);
    for (const { name, weight } of skills) {
      const share = textsOf(name).length / DOCUMENTS;
      // Five standard deviations of a binomial share are at most 0.018 here.
      expect(Math.abs(share - weight / total)).toBeLessThan(0.018);
    }
  });

  it.each(skills.map(({ name }) => name))('never shows a held-out item of %s', (name) => {
    const skill = skillNamed(name);
    const rows = rowsOf(name);
    expect(rows.length).toBeGreaterThanOrEqual(100);
    const prints = rows.map((row) => skill.fingerprint(row));
    const whole = textsOf(name)
      .map((text) => `\n${text}\n`)
      .join('');
    expect(prints.filter((print) => whole.includes(`\n${print}\n`))).toEqual([]);
  });

  it.each(skills.map(({ name }) => name))('asks different items of %s, each answerable', (name) => {
    const rows = rowsOf(name);
    expect(new Set(rows.map((row) => skillNamed(name).fingerprint(row))).size).toBe(rows.length);
    for (const { choices, answer } of rows) {
      if (choices === undefined) continue;
      const list = choices as string[];
      expect(list).toHaveLength(4);
      expect(new Set(list).size).toBe(4);
      expect(list[answer as number]).toBeDefined();
    }
  });
});

describe('arithmetic', () => {
  const pattern = /^(\d{1,2})([+-])(\d{1,2})=(\d{1,2})$/;
  const isRight = (line: string): boolean => {
    const [, left, operator, right, result] = pattern.exec(line) ?? [];
    const sign = operator === '+' ? 1 : -1;
    return Number(left) + sign * Number(right) === Number(result);
  };

  it('computes right in every line', () => {
    const lines = textsOf('arithmetic').flatMap((text) => text.split('\n'));
    expect(lines.filter((line) => !isRight(line))).toEqual([]);
  });

  it('marks the right choice', () => {
    for (const row of rowsOf('arithmetic')) {
      expect(isRight(skillNamed('arithmetic').fingerprint(row))).toBe(true);
    }
  });

  it('holds out a sum in both orders', () => {
    const lines = new Set(textsOf('arithmetic').flatMap((text) => text.split('\n')));
    const swapped = rowsOf('arithmetic').flatMap(({ problem }) => {
      const [, left, right] = /^(\d+)\+(\d+)=$/.exec(problem as string) ?? [];
      return left === undefined ? [] : [`${right}+${left}=${Number(left) + Number(right)}`];
    });
    expect(swapped.length).toBeGreaterThan(30);
    expect(swapped.filter((line) => lines.has(line))).toEqual([]);
  });
});

describe('sorting', () => {
  const parse = (line: string): { asked: string[]; given: string[] } => {
    const [, asked, given] = /^sort: ([a-z ]+) -> ([a-z ]+)$/.exec(line) ?? [];
    return {
      asked: defined(asked, `words in "${line}"`).split(' '),
      given: defined(given, `answer in "${line}"`).split(' '),
    };
  };

  it('uses every word once in its list', () => {
    expect(new Set(sortableWords).size).toBe(sortableWords.length);
  });

  it('sorts right in every line, in training and in the task', () => {
    const lines = textsOf('sorting').flatMap((text) => text.split('\n'));
    const items = rowsOf('sorting').map((row) => skillNamed('sorting').fingerprint(row));
    for (const { asked, given } of [...lines, ...items].map(parse)) {
      expect(given).toEqual([...asked].sort());
    }
  });

  it('holds out a set of words in every order', () => {
    const sets = (lines: string[]): string[] => lines.map((line) => parse(line).given.join(' '));
    const taught = new Set(sets(textsOf('sorting').flatMap((text) => text.split('\n'))));
    const items = rowsOf('sorting').map((row) => skillNamed('sorting').fingerprint(row));
    expect(sets(items).filter((set) => taught.has(set))).toEqual([]);
  });
});

describe('facts', () => {
  const answers = new Map(
    facts.flatMap(({ city, relation, value }) =>
      relation.questions.map((question) => [question.replace('{city}', city), value] as const),
    ),
  );
  const sentences = new Set(
    facts.flatMap(({ city, relation, value }) =>
      relation.statements.map((s) => s.replace('{city}', city).replace('{value}', value)),
    ),
  );

  it('gives every city one value for every relation, all from its list', () => {
    expect(facts).toHaveLength(cities.length * relations.length);
    expect(new Set(facts.map(({ city, relation }) => `${relation.name} ${city}`)).size).toBe(
      facts.length,
    );
    expect(facts.filter(({ relation, value }) => !relation.values.includes(value))).toEqual([]);
  });

  it('says only what is so in the world', () => {
    for (const text of textsOf('facts')) {
      if (!text.startsWith('Q: ')) {
        for (const sentence of text.split(/(?<=\.) /)) expect(sentences).toContain(sentence);
        continue;
      }
      for (const [, question, answer] of text.matchAll(/^Q: (.*)\nA: (.*)$/gm)) {
        expect(answers.get(question ?? '')).toBe(answer);
      }
    }
  });

  it('asks each fact once, in a wording of its own, with the right answer marked', () => {
    const rows = rowsOf('facts');
    expect(rows).toHaveLength(facts.length);
    for (const { question, choices, answer } of rows) {
      expect((choices as string[])[answer as number]).toBe(answers.get(question as string));
    }
  });

  it('still teaches every fact', () => {
    const taught = textsOf('facts').join('\n');
    const missing = facts.filter(
      ({ city, relation, value }) =>
        !relation.questions.some((question) =>
          taught.includes(`Q: ${question.replace('{city}', city)}\nA: ${value}`),
        ),
    );
    expect(missing).toEqual([]);
  });
});

describe('records', () => {
  const check = (text: string): number => {
    const lines = text.split('\n');
    const entries = new Map<string, Map<string, string>>();
    for (const line of lines.filter((candidate) => candidate.startsWith('{'))) {
      const pairs = line.slice(1, -1).split('; ');
      const entry = new Map(pairs.map((pair) => pair.split(': ') as [string, string]));
      entries.set(defined(entry.get('name'), 'name'), entry);
    }
    const asked = lines.filter((line) => !line.startsWith('{'));
    for (const line of asked) {
      const [, field, name, value] = /^the (\w+) of (\w+)\? (\w+)$/.exec(line) ?? [];
      expect(entries.get(name ?? '')?.get(field ?? '')).toBe(defined(value, `answer in "${line}"`));
    }
    return asked.length;
  };

  it('answers every question from its own records', () => {
    for (const text of textsOf('records')) expect(check(text)).toBeGreaterThan(0);
  });

  it('marks the right choice', () => {
    for (const { records, question, choices, answer } of rowsOf('records')) {
      const right = defined((choices as string[])[answer as number], 'right choice');
      expect(check(`${records as string}\n${question as string} ${right}`)).toBe(1);
    }
  });
});

describe('stories', () => {
  it('leaves no blank unfilled and ends every story with a sentence', () => {
    for (const text of textsOf('stories')) {
      expect(text).not.toMatch(/[{}]|undefined| {2}/);
      expect(text).toMatch(/[.!"]$/);
    }
  });

  it('tells of one or two beings, always by the same names', () => {
    const names = beings.map(({ name }) => name);
    for (const text of textsOf('stories')) {
      const told = names.filter((name) => new RegExp(`\\b${name}\\b`).test(text));
      expect(told).toHaveLength(2);
    }
  });

  it('hardly ever tells the same story twice', () => {
    const texts = textsOf('stories');
    expect(new Set(texts).size).toBeGreaterThan(0.999 * texts.length);
  });
});

describe('the downstream skill', () => {
  const rows = downstreamRows(400, createRandom(3));
  const heldOut = downstreamTask.rows(createRandom(4));
  const ticket = /Dear (\w+), .* Item: (\w+)\. Problem: (\w+)\. Team: (\w+)\. Level: (\d)/;

  it('gives each ticket one answer that repeats its name, thing and fault', () => {
    const teamOf = new Map<string, string>();
    const levelOf = new Map<string, string>();
    for (const { prompt, completion } of rows) {
      const [, name = '', thing = '', fault = '', team = '', level = ''] =
        ticket.exec(completion) ?? [];
      for (const part of [name, thing, fault]) expect(prompt).toContain(part);
      expect(teamOf.get(fault) ?? team).toBe(team);
      expect(levelOf.get(thing) ?? level).toBe(level);
      teamOf.set(fault, team);
      levelOf.set(thing, level);
    }
    expect(new Set(teamOf.values()).size).toBe(4);
    expect(new Set(levelOf.values()).size).toBe(3);
  });

  it('holds tickets out by name, thing and fault together', () => {
    const keyOf = (completion: string): string =>
      defined(ticket.exec(completion), 'ticket').slice(1, 4).join(' ');
    const taught = new Set(rows.map(({ completion }) => keyOf(completion)));
    expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(rows.length);
    expect(heldOut.filter((row) => taught.has(keyOf(row.completion as string)))).toEqual([]);
  });

  it('is nothing that the base model was pretrained on', () => {
    expect(corpus.filter(({ text }) => /Ticket|Dear|Reply/.test(text))).toEqual([]);
  });
});
