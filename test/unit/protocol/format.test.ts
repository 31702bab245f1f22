import { expect, it } from 'vitest';
import { formatBytes } from '../../../src/protocol/format.js';

it.each([
  [0, '0 B'],
  [512, '512 B'],
  [1536, '1.5 KiB'],
  [48 * 2 ** 20, '48 MiB'],
  [15.2 * 2 ** 30, '15.2 GiB'],
  [3000 * 2 ** 40, '3000 TiB'],
])('writes %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
