/**
 * The execution providers of ONNX Runtime by name, and what a check of each on this machine found:
 * the runtime computes it, the terminal and the editor show it.
 */
import { z } from 'zod';

export const providerNames = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;
export type ProviderName = (typeof providerNames)[number];

/** What `run.yaml` and the setting `cfs.provider` may say; `auto`: the fastest that works. */
export const providerChoices = ['auto', ...providerNames] as const;
export type ProviderChoice = (typeof providerChoices)[number];

const providerCheckSchema = z.object({
  name: z.enum(providerNames),
  works: z.boolean(),
  /** Whether `auto` would take it. */
  chosen: z.boolean(),
  /** The fastest of a few tiny training steps; absent when it does not work. */
  milliseconds: z.number().optional(),
  /** Why it does not work, and what to do. */
  reason: z.string().optional(),
  remedy: z.string().optional(),
});
export type ProviderCheck = z.infer<typeof providerCheckSchema>;

/** What `doctor` says about a machine; memory in bytes. */
export const doctorReportSchema = z.object({
  versions: z.record(z.string(), z.string()),
  system: z.object({
    platform: z.string(),
    cpu: z.string(),
    cores: z.int().nonnegative(),
    memory: z.number(),
    freeMemory: z.number(),
  }),
  providers: z.array(providerCheckSchema),
});
export type DoctorReport = z.infer<typeof doctorReportSchema>;
