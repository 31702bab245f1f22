/** The model card: front matter that parses, tables that hold, no path of this machine. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { modelCard } from '../../../src/model/modelCard.js';
import { hostileTexts, unseen } from '../../support/hostileTexts.js';

function frontMatter(card: string): unknown {
  return parse(/^---\n(.*?)\n---\n/s.exec(card)?.[1] ?? '');
}

describe('modelCard', () => {
  const settings = { lambda: 0.5, 'a|b': 'x|y\n\nz', list: [1, 2], none: undefined };

  it('tells the base model, the method, the settings and the results', () => {
    const results = [{ task: 'blimp', metric: 'accuracy', before: 0.7, after: 0.69 }];
    const card = modelCard({ baseModel: 'org/model-1.5', method: 'cfs', settings, results });
    expect(frontMatter(card)).toEqual({
      base_model: 'org/model-1.5',
      library_name: 'transformers',
      pipeline_tag: 'text-generation',
      tags: ['cfs-studio'],
    });
    expect(card).toContain('`org/model-1.5` with CFS Studio, method `cfs`.');
    expect(card).toContain(
      '| lambda | 0.5 |\n| a\\|b | x\\|y z |\n| list | \\[1,2\\] |\n| none |  |',
    );
    expect(card).toContain('| blimp | accuracy | 0.7 | 0.69 |');
  });

  it.each(hostileTexts)('takes %j for text', (text) => {
    const card = modelCard({
      baseModel: `/m/${text.replaceAll('/', '')}`,
      method: text,
      settings: { [text]: text },
      results: [{ task: text, metric: text, before: 0, after: 1 }],
    });
    expect(frontMatter(card)).not.toHaveProperty('base_model');
    const body = card.slice(card.indexOf('\n---\n') + 5);
    // Outside of code, every sign that means something is escaped.
    const plain = body.replace(/\\[!-/:-@[-`{-~]|(`+)(?!`).*?[^`]\1(?!`)/g, '');
    expect(plain.replace(/^#+ |^\|.*\|$/gm, '')).not.toMatch(/[<>[\]`*]|:\/\//);
    expect(plain.match(/^\|.*\|$/gm)?.map((row) => row.split('|').length)).toEqual([
      4, 4, 4, 6, 6, 6,
    ]);
    expect(unseen.test(card)).toBe(false);
  });

  it('tells only the last part of a folder, and no results when there are none', () => {
    const card = modelCard({ baseModel: '/home/someone/models/tiny', method: 'sft', settings });
    expect(frontMatter(card)).not.toHaveProperty('base_model');
    expect(card).toContain('`tiny`');
    expect(card).not.toContain('someone');
    expect(card).not.toContain('## Results');
  });
});
