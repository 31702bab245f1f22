/** What the Curves page remembers over a reload. */
import { z } from 'zod';

const stateSchema = z.object({
  measure: z.enum(['score', 'change']),
  intervals: z.boolean(),
  /** Of the loss, from 0 (none) below 1. */
  smoothing: z.number().min(0).max(0.99),
  /** Keys of tasks that are not drawn at all. */
  leftOut: z.array(z.string()),
  /** Hidden legend entries, `chart/key`. */
  hidden: z.array(z.string()),
  /** Charts drawn with a log scale, and charts shown as tables. */
  log: z.array(z.string()),
  tables: z.array(z.string()),
  /** The group of runs of the scatter chart. */
  group: z.string().optional(),
});
export type CurvesState = z.infer<typeof stateSchema>;

const fresh: CurvesState = {
  measure: 'change',
  intervals: true,
  smoothing: 0,
  leftOut: [],
  hidden: [],
  log: [],
  tables: [],
};

export function restoreState(remembered: unknown): CurvesState {
  const parsed = stateSchema.safeParse(remembered);
  return parsed.success ? parsed.data : fresh;
}

/** `list` with `item` put in, or taken out where it was. */
export function toggled(list: readonly string[], item: string): string[] {
  return list.includes(item) ? list.filter((each) => each !== item) : [...list, item];
}

/** The hidden legend entries of one chart. */
export function hiddenIn({ hidden }: CurvesState, chart: string): Set<string> {
  const prefix = `${chart}/`;
  return new Set(
    hidden.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length)),
  );
}
