import { describe, expect, it } from 'vitest';
import { thrownBy } from './fakes.js';
import { renderChoiceIndex, renderList, renderText } from '../../../src/evaluator/template.js';

const item = {
  question: 'Why? ',
  choices: { text: ['x "y"', "it's\n"], label: ['A', 'B'] },
  answer: 'B',
  label: 1,
  digit: '1',
  maybe: null,
};
const text = (template: string): string => renderText(template, item, 'doc_to_text');

describe('renderText', () => {
  it('takes a bare field name or a template', () => {
    expect(text('question')).toBe('Why? ');
    expect(text('label')).toBe('1');
    expect(text('Q: {{question.strip()}}\nA:')).toBe('Q: Why?\nA:');
  });

  it('keeps line ends around blocks and at the end, as the harness does', () => {
    expect(text('{{answer}}\n')).toBe('B\n');
    expect(text('a\n{% if label == 1 %}\nb\n{% endif %}\nc')).toBe('a\n\nb\n\nc');
  });

  it('names a field that is missing, but lets a template ask for it', () => {
    expect(() => text('{{qestion}}')).toThrow(/"qestion" is missing/);
    expect(() => text('{{choices.labels}}')).toThrow(/"labels" is missing/);
    expect(() => text('{% for c in choices.text %}{{ missing }}{% endfor %}')).toThrow(/"missing"/);
    expect(text("{{ 'yes' if other is defined else 'no' }}")).toBe('no');
  });

  it('says which field of the task failed', () => {
    expect(thrownBy(() => text('{% if %}'))).toMatchObject({
      code: 'TASK_TEMPLATE_FAILED',
      place: { field: 'doc_to_text' },
    });
    expect(() => text('maybe')).toThrow(/holds no text/);
  });
});

describe('renderList', () => {
  it('reads a field that holds a list, a list template, and quotes in either', () => {
    const document = { ...item, list: ['u', 'v'] };
    expect(renderList('list', document, 'f')).toEqual(['u', 'v']);
    expect(renderList('{{choices.text}}', document, 'f')).toEqual(['x "y"', "it's\n"]);
    expect(renderList('{{[answer, question]}}', document, 'f')).toEqual(['B', 'Why? ']);
  });

  it('refuses what is not a list of texts', () => {
    expect(() => renderList('answer', item, 'f')).toThrow(/list of texts/);
    expect(() => renderList('{{answer}}', item, 'f')).toThrow(/list of texts/);
  });
});

describe('renderChoiceIndex', () => {
  const index = (target: string | number, choices: string[]): number =>
    renderChoiceIndex(target, item, choices, 'doc_to_target');

  it('takes a number, a numeric field, digits from a template, or the text of a choice', () => {
    expect(index(0, ['A', 'B'])).toBe(0);
    expect(index('label', ['A', 'B'])).toBe(1);
    expect(index('{{label - 1}}', ['A', 'B'])).toBe(0);
    expect(index('answer', ['A', 'B'])).toBe(1);
  });

  it("prefers a choice's text to an index for a text field, an index for a template", () => {
    expect(index('digit', ['1', '2'])).toBe(0);
    expect(index('{{digit}}', ['1', '2'])).toBe(1);
    expect(index('digit', ['x', 'y'])).toBe(1);
  });

  it('refuses an answer that is none of the choices', () => {
    expect(() => index('answer', ['C', 'D'])).toThrow(/neither one of the choices/);
    expect(() => index(2, ['C', 'D'])).toThrow(/neither one of the choices/);
  });
});
