/**
 * A kind of rows that nobody needs: the example of how a source is added. In the product its file
 * would be `src/engine/sources/phraseBook.ts`, `list.ts` beside it would name it, and its words would
 * stand in `src/protocol/sourceRoles.ts`.
 */
import type { SourceKind } from '../../src/engine/sources/source.js';
import { storeRows } from '../../src/mixer/rowStore.js';
import { contextFreeRow } from '../../src/mixer/rows.js';
import type { SourceRole } from '../../src/protocol/sourceRoles.js';

/** Ten rows of the BOS token and three more, all supervised. */
export const phraseRows = storeRows(
  Array.from({ length: 10 }, (_, i) => contextFreeRow([0, 100 + i, 200 + i, 300 + i])),
);

export const phraseBook: SourceKind = {
  role: 'phrase-book',
  share: () => 0.125,
  expected: () => phraseRows,
  prepare: () => Promise.resolve(() => phraseRows),
};

export const phraseBookWords: SourceRole = {
  id: 'phrases',
  label: 'phrase book',
  name: 'Phrase book',
  rows: 'phrases',
  row: 'Phrase',
};
