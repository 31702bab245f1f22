/** Context-free samples: written by the base model from its BOS token, without those people excluded. */
import { storeRows, type RowStore } from '../../mixer/rowStore.js';
import { contextFreeRow } from '../../mixer/rows.js';
import type { SampleRecord } from '../../protocol/records.js';
import { maxRowLength, wantedSamples } from '../dataset.js';
import { chooseSamples, prepareSamples } from '../samples.js';
import { samplesWork } from '../sampling.js';
import type { SourceKind } from './source.js';

export const contextFree: SourceKind = {
  role: 'context-free',
  share: ({ mix }) => mix.cfsShare,
  expected: (config, model, dataset) => ({
    rows: wantedSamples(config, dataset.count),
    // The BOS token is not counted among those that are generated.
    meanTokens: Math.min(config.generation.maxLength + 1, maxRowLength(config, model)),
  }),
  work: ({ generation }, model, rows) => samplesWork(model, generation, rows),
  prepare: async (job, dataset) => {
    const { config, model } = job;
    const samples = await prepareSamples(job, wantedSamples(config, dataset.count));
    return () => sampleRows(chooseSamples(job, samples), maxRowLength(config, model));
  },
};

/** The rows of context-free samples: the BOS token, then all tokens supervised. */
function sampleRows(samples: Iterable<SampleRecord>, maxLength: number): RowStore {
  const rows = [];
  for (const { bosId, tokens } of samples) {
    if (tokens.length > 0) rows.push(contextFreeRow([bosId, ...tokens].slice(0, maxLength)));
  }
  return storeRows(rows);
}
