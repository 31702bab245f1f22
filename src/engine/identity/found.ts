/**
 * Everything that a resumed run is made from and that can be known before it goes on, so that one
 * refusal names all that has changed.
 */
import { existsSync } from 'node:fs';
import { attemptAsync } from '../../errors.js';
import type { InputGroup } from '../../protocol/identity.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { FoundGroup, FoundInput, IdentityRecord } from '../../runs/identity.js';
import { readKlSamples, readSamples, type RunFolder } from '../../runs/runFolder.js';
import { loadRunRows, type RunRows } from '../dataset.js';
import type { Model } from '../model.js';
import { fileInput, rowsInput, samplesInput, type FileInputs } from './inputs.js';

export interface FoundData {
  /** The groups that every run has from its beginning. */
  first: FoundGroup[];
  /** Those that come later in a run, as far as this one has them. */
  later: FoundGroup[];
}

/**
 * `rows`: what `rowGroups` gives. Throws what `FileInputs.inputs` rejects with, and `RECORD_BROKEN` for
 * samples.
 */
export async function findData(
  run: RunFolder,
  identity: IdentityRecord,
  rows: readonly FoundGroup[],
  files: FileInputs,
): Promise<FoundData> {
  const { paths, config } = run;
  const { model, tasks } = await files.inputs;
  const { klSamples } = (identity.madeWith ?? config).evaluation;
  const later: FoundGroup[] = [];
  const find = (group: InputGroup, inputs: () => FoundInput[]): void => {
    if (identity.knows(group)) later.push({ group, inputs: inputs() });
  };
  find('tasks', () => tasks);
  find('samples', () => samplesInput('samples', readSamples(run), paths.samples));
  find('KL samples', () => {
    const wanted = [...readKlSamples(run)].filter(({ index }) => index < klSamples);
    return samplesInput('KL samples', wanted, paths.klSamples);
  });
  // They may be deleted, to be measured again.
  if (existsSync(paths.base)) find('base scores', () => [fileInput('base scores', paths.base)]);
  return { first: [{ group: 'model', inputs: model }, ...rows], later };
}

/** The rows of a run as its identity has them. */
export function rowGroups(
  { dataset, evaluation }: RunConfig,
  { trained, downstream }: Pick<RunRows, 'trained' | 'downstream'>,
): FoundGroup[] {
  const pathsOf = (sources: RunConfig['dataset']): string[] => sources.map(({ path }) => path);
  const heldOut = pathsOf(evaluation.downstream ?? dataset);
  return [
    { group: 'dataset', inputs: [rowsInput('dataset', trained, pathsOf(dataset))] },
    {
      group: 'held-out rows',
      inputs: downstream ? [rowsInput('held-out rows', downstream, heldOut)] : [],
    },
  ];
}

export interface OtherSettings {
  /** See `IdentityRecord`. */
  madeWith: RunConfig;
  model: Model;
  files: FileInputs;
  /** Other differences, in words. */
  more: readonly string[];
}

/**
 * Refuses a run whose settings may not be what they are now, with whatever else has changed: its rows
 * are read as they were read when it began. Throws `RUN_CHANGED`.
 */
export async function refuseSettings(
  run: RunFolder,
  identity: IdentityRecord,
  { madeWith, model, files, more }: OtherSettings,
): Promise<void> {
  let rows: FoundGroup[] = [];
  const read = await attemptAsync(
    () => loadRunRows(madeWith, model),
    (problem) => (rows = [{ group: 'dataset', inputs: [], problem }]),
  );
  if (read) rows = rowGroups(madeWith, read);
  const { first, later } = await findData(run, identity, rows, files);
  identity.compare([...first, ...later], more);
}
