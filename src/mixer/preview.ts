/**
 * What a run would train on, before it runs: rows and tokens of each source, steps, what is cut or
 * left out, and one batch drawn exactly as training would draw it.
 */
import type { DatasetReport } from '../protocol/datasetReport.js';
import type { MixPreview } from '../protocol/preview.js';
import { planEpoch, stepCount, type MixSettings } from './epoch.js';
import { createMixer, type Source } from './mixer.js';
import { withHash, type RowStore } from './rowStore.js';

/** Rows that are still to be made. */
export interface PlannedRows {
  rows: number;
  /** Expected tokens of a row, all of them supervised but the first. */
  meanTokens: number;
}

/** A source whose rows are there, or only planned. */
export interface ExpectedSource extends Omit<Source, 'rows'> {
  rows: RowStore | PlannedRows;
}

export interface PreviewOptions extends MixSettings {
  /** The downstream dataset first. */
  sources: readonly ExpectedSource[];
  report: DatasetReport;
  seed: number;
  length: { epochs: number } | { steps: number };
  /** The text of one token, for the drawn batch. */
  tokenText: (id: number) => string;
}

/** Throws what `planEpoch` throws. */
export function previewMix(options: PreviewOptions): MixPreview {
  const { report, seed, mode, batchRows, length } = options;
  const sources = options.sources.map((source) => ({
    ...source,
    rows: expectedRows(source.rows),
    planned: isPlanned(source.rows),
  }));
  const settings = { mode, batchRows };
  const plan = planEpoch(sources, settings);
  const steps = stepCount(length, plan.steps);
  return {
    sources: sources.map(({ id, role, rows, planned }, i) => ({
      id,
      role,
      rows: rows.count,
      tokens: rows.tokens,
      supervisedTokens: rows.supervisedTokens,
      longest: rows.longest,
      rowsPerEpoch: plan.rows[i] ?? 0,
      planned,
    })),
    stepsPerEpoch: plan.steps,
    steps,
    epochs: steps / plan.steps,
    leftOut: report.rows - report.kept,
    truncated: report.truncated,
    batch: drawBatch(sources, { ...settings, seed }, options.tokenText),
  };
}

function drawBatch(
  sources: readonly Source[],
  settings: MixSettings & { seed: number },
  tokenText: (id: number) => string,
): MixPreview['batch'] {
  const step = createMixer({ ...settings, sources }).next();
  return (step?.rows ?? []).map(({ ids, supervised }, i) => {
    const source = step?.sources[i] ?? '';
    const row = step?.rowIndices[i] ?? 0;
    return {
      source,
      row,
      origin: sources.find(({ id }) => id === source)?.rows.origin(row),
      tokens: [...ids].map((id, t) => ({ text: tokenText(id), supervised: supervised[t] === 1 })),
    };
  });
}

/** Whether the rows are still to be made. */
export function isPlanned(rows: RowStore | PlannedRows): rows is PlannedRows {
  return 'meanTokens' in rows;
}

/** Rows not made yet stand in as rows without tokens. */
export function expectedRows(rows: RowStore | PlannedRows): RowStore {
  if (!isPlanned(rows)) return rows;
  return withHash({
    count: rows.rows,
    tokens: Math.round(rows.rows * rows.meanTokens),
    supervisedTokens: Math.round(rows.rows * (rows.meanTokens - 1)),
    longest: Math.ceil(rows.meanTokens),
    row: () => ({ ids: new Int32Array(), supervised: new Uint8Array() }),
    origin: () => undefined,
  });
}
