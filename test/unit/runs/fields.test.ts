import { describe, expect, it } from 'vitest';
import { flattenFields, valueAt, withValue } from '../../../src/runs/fields.js';

describe('settings by their dotted names', () => {
  const values = { model: 'base', training: { epochs: 2, steps: undefined }, tasks: ['a', 'b'] };

  it('flattens sections but not lists', () => {
    expect(flattenFields(values)).toEqual({
      model: 'base',
      'training.epochs': 2,
      tasks: ['a', 'b'],
    });
  });

  it('reads a setting, and none where a section is missing', () => {
    expect(valueAt(values, 'training.epochs')).toBe(2);
    expect(valueAt(values, 'mix.lambda')).toBeUndefined();
    expect(valueAt(values, 'model.name')).toBeUndefined();
  });

  it('sets a setting without changing what was there', () => {
    const changed = withValue(values, 'mix.lambda', 0.5);
    expect(valueAt(changed, 'mix.lambda')).toBe(0.5);
    expect(valueAt(withValue(changed, 'training.epochs', 3), 'training.epochs')).toBe(3);
    expect(values).not.toHaveProperty('mix');
    expect(values.training.epochs).toBe(2);
  });
});
