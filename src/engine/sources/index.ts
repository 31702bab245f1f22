/** The sources of a run's mix: the dataset, then what its method mixes in. */
import { defined } from '../../errors.js';
import { sourceOf, type Source } from '../../mixer/mixer.js';
import { isPlanned, type ExpectedSource } from '../../mixer/preview.js';
import type { RowStore } from '../../mixer/rowStore.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { Job } from '../context.js';
import { chosenMethod } from '../method.js';
import type { Model } from '../model.js';
import type { Work } from '../work.js';
import { sourceKinds } from './list.js';
import type { SourceKind } from './source.js';

/** The sources that a run would have; `dataset` holds the rows it trains on. */
export function expectedSources(
  config: RunConfig,
  model: Model,
  dataset: RowStore,
): ExpectedSource[] {
  return kindsOf(config).map(({ role, share, expected }) =>
    sourceOf(role, expected(config, model, dataset), share?.(config)),
  );
}

/** What making the sources takes that are not there yet. */
export function sourcesWork(
  config: RunConfig,
  model: Model,
  sources: readonly ExpectedSource[],
): Work[] {
  return kindsOf(config).flatMap(({ work }, i) => {
    const rows = sources[i]?.rows;
    return work && rows && isPlanned(rows) ? work(config, model, rows.rows) : [];
  });
}

/** Prepares the sources of a job one after the other; the answer gives them when training begins. */
export async function prepareSources(job: Job, dataset: RowStore): Promise<() => Source[]> {
  const { config } = job;
  const prepared: (() => Source)[] = [];
  for (const { role, share, prepare } of kindsOf(config)) {
    const rows = await prepare(job, dataset);
    prepared.push(() => sourceOf(role, rows(), share?.(config)));
  }
  return () => prepared.map((source) => source());
}

function kindsOf(config: RunConfig): SourceKind[] {
  const roles = ['dataset', ...chosenMethod(config).method.sources];
  return roles.map((role) =>
    defined(
      sourceKinds.find((kind) => kind.role === role),
      `source of role ${role}`,
    ),
  );
}
