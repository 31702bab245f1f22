/** Templates that would never end, or fill the memory, are stopped at the same place each time. */
import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { parseJinja, renderJinja } from '../../src/jinja.js';
import { renderText } from '../../src/evaluator/template.js';
import { createChatFormatter } from '../../src/mixer/chat.js';
import { compileRowTemplate } from '../../src/mixer/rowTemplate.js';
import { forwardTemplates } from '../support/chatTemplates.js';
import { expectError } from '../support/expectError.js';

const options = { name: 'The template', trimBlocks: true };
const render = (text: string, values: Record<string, unknown> = {}): string =>
  renderJinja(parseJinja(text, options), values);
const nested = (open: string, inner: string, close: string, times: number): string =>
  open.repeat(times) + inner + close.repeat(times);
const deepRow = (depth: number): unknown =>
  Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 'x');

describe('limits of templates', () => {
  it.each([
    ['a list without end', '{% for i in range(10**9) %}{% endfor %}', 'a list of more than'],
    ['a range that does not move', '{{ range(2**60, 2**61) | length }}', 'a list of more than'],
    [
      'loops in loops',
      nested('{% for i in range(999) %}', 'x', '{% endfor %}', 5),
      'more than 2000050 steps',
    ],
    [
      'loops that do nothing',
      nested('{% for i in range(99999) %}', '', '{% endfor %}', 2),
      'steps',
    ],
    [
      'a text that doubles',
      `{% set ns = namespace(t='aaaaaaaa') %}${'{% set ns.t = ns.t ~ ns.t %}'.repeat(40)}`,
      'a text of more than',
    ],
    [
      'a text that grows in one step',
      `{% set ns = namespace(t='aaaaaaaa') %}${'{% set ns.t = ns.t ~ ns.t %}'.repeat(15)}{{ ns.t | replace('', ns.t) }}`,
      'a text of more than',
    ],
    [
      'a method that does so',
      `{% set ns = namespace(t='aaaaaaaa') %}${'{% set ns.t = ns.t ~ ns.t %}'.repeat(15)}{{ ns.t.replace('a', ns.t) }}`,
      'a text of more than',
    ],
    [
      'such a block',
      `{% set ns = namespace(t='aaaaaaaa') %}${'{% set ns.t = ns.t ~ ns.t %}'.repeat(15)}{% filter replace('a', ns.t) %}{{ ns.t }}{% endfilter %}`,
      'a text of more than',
    ],
    ['a wide indent', "{{ 'a\nb' | indent(10**9) }}", 'a text of more than'],
    ['a wide indent of JSON', '{{ [1, [2]] | tojson(indent=10**9) }}', 'a text of more than'],
    [
      'a long separator',
      `{% set ns = namespace(t='aaaaaaaa') %}${'{% set ns.t = ns.t ~ ns.t %}'.repeat(12)}{{ range(9999) | join(ns.t) }}`,
      'a text of more than',
    ],
    [
      'many pieces',
      `{% set ns = namespace(t='aaaaaaaa') %}${'{% set ns.t = ns.t ~ ns.t %}'.repeat(15)}{{ ns.t.split('a') | length }}`,
      'a list of more than',
    ],
    [
      'a list that holds itself twice',
      `{% set ns = namespace(t=[1]) %}${'{% set ns.t = [ns.t, ns.t] %}'.repeat(60)}`,
      'a text of more than',
    ],
    [
      'lists in lists',
      '{% set ns = namespace(t=[]) %}{% for i in range(500) %}{% set ns.t = [ns.t] %}{% endfor %}',
      'nests lists more than 100 deep',
    ],
    [
      'a namespace that holds itself',
      '{% set ns = namespace() %}{% set ns.t = ns %}{{ ns }}',
      'nests lists more than 100 deep',
    ],
    ['a macro that calls itself', '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}', 'levels deep'],
    ['brackets', `{{ ${nested('(', '1', ')', 5000)} }}`, 'nests brackets or blocks'],
    ['blocks', nested('{% if 1 %}', '', '{% endif %}', 5000), 'nests brackets or blocks'],
    ['branches', `{% if 1 %}${'{% elif 1 %}'.repeat(5000)}{% endif %}`, 'nests brackets or blocks'],
    ['negations', `{{ ${'not '.repeat(5000)}1 }}`, 'signs in one expression'],
    ['calls of calls', `{{ f${'()'.repeat(5000)} }}`, 'signs in one expression'],
    ['a long chain', `{{ 1${' | abs'.repeat(500)} }}`, 'levels deep'],
    ['blocks of a variable', nested('{% set a %}', '', '{% endset %}', 5000), 'nests brackets'],
    ['white space', `a${' '.repeat(3000)}b`, 'white space in a row'],
    ['a long template', 'ab '.repeat(400_000), 'longer than'],
  ])('%s', async (_, template, reason) => {
    const stopped = await expectError('TEMPLATE_LIMIT', () => render(template));
    expect(stopped.message).toMatch(/^The template was stopped: it /);
    expect(stopped.message).toContain(reason);
  });

  it('takes rows nested as deep as anyone needs, and no deeper', async () => {
    expect(render('{{ a | length }}', { a: deepRow(50) })).toBe('1');
    await expectError('TEMPLATE_LIMIT', () => render('{{ a }}', { a: deepRow(50_000) }));
  });

  it('gives up on a template after ten rows', async () => {
    const template = parseJinja('{% if a %}{{ range(10**9) }}{% else %}fine{% endif %}', options);
    for (let i = 0; i < 9; i++) {
      await expectError('TEMPLATE_LIMIT', () => renderJinja(template, { a: true }));
      expect(renderJinja(template, { a: false })).toBe('fine');
    }
    await expectError('TEMPLATE_LIMIT', () => renderJinja(template, { a: true }));
    await expectError('TEMPLATE_LIMIT', () => renderJinja(template, { a: false }));
  });

  it('are those of every kind of template', async () => {
    const endless = '{{ range(10**9) }}';
    const row = await expectError('TEMPLATE_LIMIT', () =>
      compileRowTemplate(endless, 'template.prompt').render({}),
    );
    expect(row.place).toEqual({ field: 'template.prompt' });
    const task = await expectError('TEMPLATE_LIMIT', () =>
      renderText(`{{ ${nested('(', '1', ')', 200)} }}`, {}, 'doc_to_text'),
    );
    expect(task.place).toEqual({ field: 'doc_to_text' });
    const turns = [{ role: 'assistant', content: 'a' }];
    const chat = createChatFormatter({ template: endless, bosToken: '', eosToken: '' });
    const refused = await expectError('TEMPLATE_LIMIT', () => chat(turns, 'messages'));
    expect(refused.message).toMatch(/^The chat template was stopped/);
  });
});

describe('within the limits', () => {
  it('a conversation of 10,000 messages and 1 MB is written', () => {
    const messages = Array.from({ length: 10_000 }, (_, i) => ({
      role: i % 2 === 0 ? 'user' : 'assistant',
      content: 'twenty five characters, it '.repeat(4).slice(0, 100),
    }));
    const values = { messages, add_generation_prompt: false, bos_token: '', eos_token: '' };
    for (const name of ['chatml', 'a count in a namespace', 'neighbours by index', 'a macro']) {
      const text = render(forwardTemplates[name] ?? '', values);
      expect(text.length, name).toBeGreaterThan(1_000_000);
    }
  });

  it('everything is as the library has it', () => {
    const values = { a: 'x-y', list: ['b', 'a', 'c'], o: { k: 1 }, n: null };
    for (const text of [
      `{{ a.replace('-', '+') }}{{ a | replace('-', '') }}{{ a | replace('x', 'z', count=1) }}`,
      `{{ list | join(', ') }}{{ list | join }}{{ a | join('|') }}{{ list | sort | first }}`,
      `{{ o | tojson }}{{ o | tojson(indent=2) }}{{ list | tojson(separators=(',', ':')) }}`,
      `{{ a | indent(2, true) }}{{ 'p\nq' | indent(width=3) }}{{ 'p\nq' | indent }}`,
      `{% filter replace('x', 'y') %}{{ a }}{% endfilter %}{{ a.split('-')[1] }}{{ a['upper']() }}`,
      `{{ 'x' in a }}{{ 'b' in list }}{{ 'q' not in list }}{{ range(1, 9, 3) }}{{ range(3, 0, -1) }}`,
      `{% macro m(p, q=1) %}{{ p }}{{ q }}{% endmacro %}{{ m(1) }}{{ m(p=2, q=3) }}{{ m(*[4, 5]) }}`,
      `{{ n }}{{ none is none }}{{ True }}{{ missing }}{{ [] | first }}`,
    ]) {
      const library = attemptText(() => new Template(text).render(values));
      expect(
        attemptText(() => render(text, values)),
        text,
      ).toBe(library);
    }
    expect(render("{{ strftime_now('%Y') }}")).toBe(String(new Date().getFullYear()));
    expect(() => render("{{ raise_exception('no') }}")).toThrow(/^no$/);
  });
});

function attemptText(make: () => string): string {
  try {
    return make();
  } catch (error) {
    return String(error);
  }
}
