/** Reports say nothing of where on a disk things lie. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pathShortener, withShortPaths } from '../../../src/runs/withoutPaths.js';

const root = '/home/someone/My Work';
const config = {
  model: '/data/some models/tiny',
  dataset: [{ path: `${root}/data/d.jsonl` }, { path: 'C:\\Users\\someone\\x y\\e.csv' }],
  name: '/home/someone/is a name',
};

describe('withShortPaths', () => {
  it('tells paths from the workspace, else by their last name, and leaves other text', () => {
    expect(withShortPaths(config, root)).toEqual({
      model: '…/tiny',
      dataset: [{ path: 'data/d.jsonl' }, { path: '…/e.csv' }],
      name: '/home/someone/is a name',
    });
  });
});

describe('pathShortener', () => {
  const shorten = pathShortener(config, root);

  it.each([
    [`Could not read ${root}/data/d.jsonl.`, 'Could not read data/d.jsonl.'],
    ["EACCES, open '/data/some models/tiny/config.json'", "EACCES, open '…/tiny/config.json'"],
    [`There is no "${join(homedir(), 'a b', 'c')}"`, 'There is no "~/a b/c"'],
    ['See /etc/hosts and D:\\games\\x.txt.', 'See …/hosts and …/x.txt.'],
    ['/data/some models/tiny2 is another', '…/some models/tiny2 is another'],
  ])('%s', (text, short) => {
    expect(shorten(text)).toBe(short);
  });

  it.each(['read/write at 3 tokens/s', 'https://example.org/a/b', 'data/d.jsonl', 'a / b / c'])(
    'leaves %s',
    (text) => {
      expect(shorten(text)).toBe(text);
    },
  );
});
