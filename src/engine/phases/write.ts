/** The phase that makes what the sources of the mix and the KL estimate need: samples, mostly. */
import type { Source } from '../../mixer/mixer.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { SampleRecord } from '../../protocol/records.js';
import { klSettings, prepareKlSamples } from '../samples.js';
import { samplingShape } from '../sampling.js';
import { prepareSources, sourcesWork } from '../sources/index.js';
import type { Phase } from './phase.js';

export interface Written {
  /** The sources, to be asked for when training begins; people may choose among rows until then. */
  chooseSources: () => Source[];
  klSamples: SampleRecord[];
}

/** Takes the rows of the dataset that are trained on. */
export const write: Phase<RowStore, Written> = {
  name: 'generating',
  plan: ({ config, model, sources }) => {
    const { klSamples } = config.evaluation;
    const shape = samplingShape(klSettings(config), model, klSamples);
    return [
      ...sourcesWork(config, model, sources),
      ...(klSamples > 0 ? [{ kind: 'write' as const, ...shape }] : []),
    ];
  },
  run: async (job, dataset) => {
    try {
      return {
        chooseSources: await prepareSources(job, dataset),
        klSamples: await prepareKlSamples(job),
      };
    } finally {
      await job.decoders.release();
    }
  },
};
