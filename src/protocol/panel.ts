/**
 * The contract between the host and the panel with its three pages. The panel draws what run folders
 * say and keeps nothing of its own but what is typed into the mix page.
 */
import { z } from 'zod';
import { untilSchema } from './engine.js';
import { pickKinds } from './form.js';
import { configDataSchema, previewDataSchema } from './preview.js';
import { itemRecordSchema, runEventSchema, runResultsSchema } from './records.js';
import type { Contract } from './rpc.js';
import { runActions, runInfoSchema } from './runInfo.js';

const count = z.int().nonnegative();
const runId = z.string();
const none = z.object({});

export const pages = ['mix', 'curves', 'compare'] as const;
export type Page = (typeof pages)[number];

/** Something wrong with a field of the form. */
const fieldProblemSchema = z.object({
  /** Dotted, as in `training.learningRate`; empty for the whole. */
  field: z.string(),
  message: z.string(),
});
export type FieldProblem = z.infer<typeof fieldProblemSchema>;

const mixStateSchema = z.object({
  /** The draft that the values are of; another dataset, or the settings of a run, begin another. */
  draft: z.string(),
  /** The JSON Schema of `run.yaml`, from which the form is drawn. */
  schema: z.record(z.string(), z.unknown()),
  /**
   * The values of the form: `run.yaml` as data; what is missing is not chosen yet. Paths inside
   * the workspace are told from there, here and in every message of the page.
   */
  values: configDataSchema,
  /** By dotted field: what suits model and dataset, as soon as these have been looked at. */
  suggested: configDataSchema,
  /** The run that was last made of this draft, with its `run.yaml`. */
  run: z.object({ id: runId, file: z.string() }).optional(),
  /** Why nothing can be started here (no folder, not trusted); absent when it can. */
  blocked: z.string().optional(),
});
export type MixState = z.infer<typeof mixStateSchema>;

/** What is wrong with the values, and a preview of what they would do where it can be drawn. */
const mixAnswerSchema = z.object({
  /** A run with these values would fail. */
  problems: z.array(fieldProblemSchema),
  /** Worth knowing; nothing is held back for it. */
  warnings: z.array(fieldProblemSchema).optional(),
  preview: previewDataSchema.optional(),
  /** The dotted fields in which the values differ from the `run.yaml` of the draft's run. */
  changes: z
    .object({
      settings: z.array(z.string()),
      /** Those of them that make other samples. */
      samples: z.array(z.string()),
    })
    .optional(),
});
export type MixAnswer = z.infer<typeof mixAnswerSchema>;

/** One setting that differs between runs; a value for each run, absent as `–`. */
const settingRowSchema = z.object({ field: z.string(), values: z.array(z.string()) });

const comparisonSchema = z.object({
  runs: z.array(z.object({ info: runInfoSchema, results: runResultsSchema.optional() })),
  settings: z.array(settingRowSchema),
});
export type ComparisonData = z.infer<typeof comparisonSchema>;

/** How two models may differ in an item. */
export const itemChanges = ['right-to-wrong', 'wrong-to-right'] as const;
export type ItemChange = (typeof itemChanges)[number];

/** An item as two models answer it. */
const itemComparisonSchema = itemRecordSchema
  .omit({ base: true, final: true })
  .extend({ from: itemRecordSchema.shape.base, to: itemRecordSchema.shape.final });
export type ItemComparison = z.infer<typeof itemComparisonSchema>;

/** The values of a draft as the page has them. */
const draftSchema = z.object({ draft: z.string(), values: configDataSchema });
const startedSchema = z.object({ runId, file: z.string() });

/** What the host answers and tells. */
export const panelHostContract = {
  requests: {
    /** The panel is up; what it shows first. `runs` follows as an event. */
    open: {
      params: z.object({ page: z.enum(pages).optional(), selected: z.array(runId).optional() }),
      result: z.object({ page: z.enum(pages), selected: z.array(runId) }),
    },
    runAction: { params: z.object({ runId, action: z.enum(runActions) }), result: none },

    // Mix.
    mixState: { params: none, result: mixStateSchema },
    /** Takes note of the values (they survive a reload) and previews them. */
    preview: { params: draftSchema, result: mixAnswerSchema },
    /** A file dialog; no paths when it was dismissed. */
    pickPaths: {
      params: z.object({ kind: z.enum(pickKinds), field: z.string() }),
      result: z.object({ paths: z.array(z.string()) }),
    },
    /**
     * Writes `run.yaml` into a new run folder and starts it, or queues it. However often it is asked
     * with one `request`, there is one run.
     */
    start: {
      params: draftSchema.extend({ request: z.string(), until: untilSchema }),
      result: startedSchema,
    },
    /** Resumes the draft's run to its end, with these values in its `run.yaml`. */
    continueRun: { params: draftSchema, result: startedSchema },
    openFile: { params: z.object({ file: z.string(), line: count.optional() }), result: none },

    // Curves. After `watch`, the events of these runs follow, past ones first.
    watch: { params: z.object({ runIds: z.array(runId).max(12) }), result: none },
    results: {
      params: z.object({ runIds: z.array(runId) }),
      result: z.object({
        results: z.array(z.object({ runId, results: runResultsSchema.optional() })),
      }),
    },
    /** A save dialog, then the file; `data` is text, or base64 for `png`. */
    saveFile: {
      params: z.object({ name: z.string(), kind: z.enum(['png', 'csv']), data: z.string() }),
      result: z.object({ path: z.string().optional() }),
    },

    // Compare.
    compare: { params: z.object({ runIds: z.array(runId).max(12) }), result: comparisonSchema },
    /**
     * Items answered rightly by one and wrongly by the other. `from` and `to` are a run, or `base`
     * for the base model of the other.
     */
    items: {
      params: z.object({
        from: runId,
        to: runId,
        task: z.string(),
        metric: z.string(),
        change: z.enum(itemChanges),
        offset: count,
        limit: count.max(200),
      }),
      result: z.object({
        total: count,
        items: z.array(itemComparisonSchema),
      }),
    },
  },
  events: {
    /** All runs of the workspace, the newest first; told again on every change. */
    runs: z.object({ runs: z.array(runInfoSchema) }),
    /** Show another page or other runs; the selection stays where no runs are named. */
    show: z.object({ page: z.enum(pages), selected: z.array(runId).optional() }),
    /** The form was filled from outside: another dataset, the settings of a run. */
    mixState: mixStateSchema,
    /** Rows read so far for a preview that is under way. */
    previewProgress: z.object({ file: z.string(), rows: count }),
    /** Events of a watched run; with `first`, what the page has of it is dropped before. */
    history: z.object({ runId, first: z.boolean(), events: z.array(runEventSchema) }),
  },
} satisfies Contract;
export type PanelHostContract = typeof panelHostContract;

/** What the panel answers and tells: nothing. */
export const panelPageContract = { requests: {}, events: {} } satisfies Contract;
export type PanelPageContract = typeof panelPageContract;
