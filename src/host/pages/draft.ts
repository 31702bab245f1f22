/**
 * The form of the mix page as data: values by dotted field, what was filled in for the person and
 * what the person chose, and which field a problem belongs to.
 */
import { randomUUID } from 'node:crypto';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import type { CfsError } from '../../errors.js';
import type { FieldProblem, MixAnswer } from '../../protocol/panel.js';
import type { FindingRecord } from '../../protocol/preview.js';
import { flattenFields, isRecord, valueAt, withValue } from '../../runs/fields.js';
import { mapPaths } from '../../runs/paths.js';
import type { Draft } from '../studio.js';
import { own } from '../../own.js';

const keptDraftSchema = z.object({
  /** Tells it from the drafts before and after it: pages answer late. */
  id: z.string(),
  values: z.record(z.string(), z.unknown()),
  /** By dotted field: what suits the model and the dataset that `suggestedFor` names. */
  suggested: z.record(z.string(), z.unknown()),
  suggestedFor: z.string().optional(),
  /** The run that was last made of it, and the request that asked for it. */
  run: z.object({ id: z.string(), request: z.string().optional() }).optional(),
});
/** The draft as it outlives a reload. */
export type KeptDraft = z.infer<typeof keptDraftSchema>;

/** A draft that has nothing of another one. */
export function newDraft(values: Draft): KeptDraft {
  return { id: randomUUID(), values, suggested: {} };
}

/** The draft of another run with another value; pages that still show the draft as it was are told. */
export function movedDraft(
  draft: KeptDraft,
  run: string,
  { field, value }: { field: string; value: unknown },
): KeptDraft {
  const values = withValue(draft.values, field, value);
  return { ...draft, id: randomUUID(), values, run: { id: run } };
}

/** What was kept; undefined where there is nothing, or what an older version kept. */
export function readDraft(kept: unknown): KeptDraft | undefined {
  return keptDraftSchema.safeParse(kept).data;
}

/**
 * Fills the fields that nobody touched: those without a value, and those that still hold what was
 * suggested before. `settings` is nested as `run.yaml` is.
 */
export function applySuggestions(
  draft: KeptDraft,
  settings: Draft,
  suggestedFor: string,
): KeptDraft {
  const suggested = flattenFields(settings);
  let { values } = draft;
  for (const [field, value] of Object.entries(suggested)) {
    const current = valueAt(values, field);
    if (current !== undefined && !same(current, own(draft.suggested, field))) continue;
    values = withValue(values, field, value);
  }
  return { ...draft, values, suggested, suggestedFor };
}

/** What suggestions depend on: the model and the dataset. */
export function suggestionKey(values: Draft): string {
  return JSON.stringify([values.model, datasetPaths(values)]);
}

/** The files that the draft names as its dataset: `dataset` may be a path, a source or a list. */
export function datasetPaths(values: Draft): string[] {
  const { dataset } = values;
  const sources: unknown[] = Array.isArray(dataset) ? dataset : [dataset];
  return sources.flatMap((source) => {
    const path: unknown = isRecord(source) ? source.path : source;
    return typeof path === 'string' && path !== '' ? [path] : [];
  });
}

/** The draft as the page shows it: paths inside the workspace are told from there. */
export function shownDraft(values: Draft, workspace: string): Draft {
  return mapPaths(values, (path) => shownPath(path, workspace));
}

/** What the page sends, with absolute paths again. */
export function absoluteDraft(values: Draft, workspace: string): Draft {
  return mapPaths(values, (path) => (path === '' ? path : resolve(workspace, path)));
}

/** A path as the page shows it, with forward slashes where it is told from the workspace. */
export function shownPath(path: string, workspace: string): string {
  if (!isAbsolute(path) || !isInside(path, workspace)) return path;
  return relative(workspace, path).split(sep).join('/') || '.';
}

/** The problem beside the field it belongs to; with an empty one where it belongs to none. */
export function fieldProblem({
  message,
  remedy,
  place,
}: Pick<CfsError, 'message' | 'remedy' | 'place'>): FieldProblem {
  // The field of a place in a file is one of that file, as is a column of a dataset.
  const own = place.file === undefined ? place.field : undefined;
  return {
    field: place.setting ?? own ?? '',
    message: `${[position(place), message].filter((part) => part !== '').join(': ')} ${remedy}`,
  };
}

/** What a preview found, at the fields of the form. */
export function atFields(
  findings: readonly FindingRecord[],
): Required<Pick<MixAnswer, 'problems' | 'warnings'>> {
  const those = (wanted: FindingRecord['severity']): FieldProblem[] =>
    findings
      .filter(({ severity }) => severity === wanted)
      .map(({ field, error }) => ({ field, message: fieldProblem(error).message }));
  return { problems: those('error'), warnings: those('warning') };
}

function position({ file, line }: CfsError['place']): string {
  if (file === undefined || line === undefined) return '';
  return `${basename(file)}, line ${line}`;
}

function isInside(file: string, folder: string): boolean {
  const path = relative(folder, file);
  return !isAbsolute(path) && path !== '..' && !path.startsWith(`..${sep}`);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
