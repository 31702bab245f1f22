/**
 * What a field of `run.yaml` says about itself to the form, beside its type, limits, default and
 * description. `src/runs/configSchema.ts` states it as metadata; it travels in the JSON Schema, so
 * that the form knows no field by name.
 */
import { z } from 'zod';

/** What a file dialog may offer. */
export const pickKinds = ['folder', 'file', 'files'] as const;

export const fieldHintsSchema = z.object({
  /** The name that people see; made from the field's own name when left out. */
  label: z.string().optional(),
  /** A second sentence for whoever meets the field for the first time. */
  hint: z.string().optional(),
  /** What the number counts, such as `tokens`. */
  unit: z.string().optional(),
  /** Always in view; all other fields are folded away. */
  basic: z.boolean().optional(),
  /** A path, and what the file dialog offers; at a list: what is added to it. */
  pick: z.enum(pickKinds).optional(),
  /**
   * Until when the settings of a run that has started may change: as long as it can be resumed, or
   * until the base model is measured and training begins. All others decide which samples it has.
   */
  mayChange: z.enum(['always', 'until-training']).optional(),
  /** What a resumed run does otherwise once the field has changed, a sentence. */
  whenChanged: z.string().optional(),
  /** The field of the same section that takes its place where it is set. */
  replacedBy: z.string().optional(),
  /**
   * The methods that use it; all when left out. Of a section: holds for its fields. What methods say
   * of themselves, filled in by `src/runs/configForm.ts`.
   */
  methods: z.array(z.string()).optional(),
  /** The values of an enumeration in words. */
  choices: z.record(z.string(), z.object({ label: z.string(), about: z.string() })).optional(),
});
export type FieldHints = z.infer<typeof fieldHintsSchema>;
