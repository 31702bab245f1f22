import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { firstSelection } from '../../../../src/host/pages/panelState.js';
import { createSoon } from '../../../../src/soon.js';
import { parseBos, bosChoices } from '../../../../src/host/pages/bosChoices.js';
import { madeUpInfo } from '../madeUpInfo.js';

describe('the runs a page begins with', () => {
  const runs = [
    madeUpInfo('queued', { state: 'queued', trained: false }),
    madeUpInfo('running', { state: 'running', trained: false }),
    madeUpInfo('b', { hasReport: true }),
    madeUpInfo('a', { hasReport: true }),
  ];

  it('are those chosen, also when they are not listed yet', () => {
    expect(firstSelection('curves', runs, ['new'])).toEqual(['new']);
  });

  it('are for curves the running one, the newest trained one, the newest', () => {
    expect(firstSelection('curves', runs)).toEqual(['running']);
    const idle = runs.filter(({ state }) => state !== 'running');
    expect(firstSelection('curves', idle)).toEqual(['b']);
    expect(firstSelection('curves', idle.slice(0, 1))).toEqual(['queued']);
    expect(firstSelection('curves', [])).toEqual([]);
  });

  it('are for a comparison the two newest that have a report', () => {
    expect(firstSelection('compare', runs)).toEqual(['b', 'a']);
  });
});

describe('BOS tokens to choose from', () => {
  const bos = {
    id: 0,
    token: '<s>',
    reason: 'tokenizer_config.json',
    candidates: [
      { id: 0, token: '<s>', reason: 'tokenizer_config.json' },
      { id: 1, token: '</s>', reason: 'the EOS token' },
      { id: 5, token: '<bos>', reason: 'its name' },
    ],
  };

  it('begin with the better one and name each once', () => {
    const choices = bosChoices(bos, 5);
    expect(choices.map(({ id }) => id)).toEqual([5, 1, 0]);
    expect(choices[0]?.about).toBe('its samples read better');
    expect(choices[2]?.about).toBe('in use');
  });

  it('may be typed as a number or as text', () => {
    expect(parseBos(' 12 ')).toBe(12);
    expect(parseBos('<bos>')).toBe('<bos>');
    expect(parseBos('  ')).toBeUndefined();
  });
});

describe('many changes in a row', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('are told once, and again when they come later', () => {
    const action = vi.fn();
    const soon = createSoon(action, 50);
    soon();
    soon();
    expect(action).not.toHaveBeenCalled();
    vi.advanceTimersByTime(50);
    expect(action).toHaveBeenCalledTimes(1);
    soon();
    vi.advanceTimersByTime(50);
    expect(action).toHaveBeenCalledTimes(2);
  });

  it('are not told after they were cancelled', () => {
    const action = vi.fn();
    const soon = createSoon(action, 50);
    soon();
    soon.cancel();
    vi.advanceTimersByTime(100);
    expect(action).not.toHaveBeenCalled();
  });
});
