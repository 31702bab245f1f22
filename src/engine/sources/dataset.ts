/** The downstream dataset: its rows are read and split before any other source is prepared. */
import type { SourceKind } from './source.js';

export const dataset: SourceKind = {
  role: 'dataset',
  expected: (_config, _model, rows) => rows,
  prepare: (_job, rows) => Promise.resolve(() => rows),
};
