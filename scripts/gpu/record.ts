/**
 * What the GPU check writes down: the schema of its one JSON file, which the report reads back, and of
 * the lines in which its child processes tell it what they measured.
 */
import { z } from 'zod';

/** Models by size; `demo` is the one that comes with the program. */
export const shapeNames = ['demo', '15M', '110M', '350M', '1.1B'] as const;
export const sideNames = ['webgpu', 'torch', 'cpu'] as const;
export const kindNames = ['score', 'sample', 'train'] as const;
export type ShapeName = (typeof shapeNames)[number];
export type Side = (typeof sideNames)[number];
export type Kind = (typeof kindNames)[number];

/** A number that a model gave; null where it is none, as JSON has no NaN. */
const computed = z.number().nullable();

/** `stopped`: by its time limit. */
const stateSchema = z.enum(['passed', 'failed', 'stopped', 'skipped']);
export type State = z.infer<typeof stateSchema>;

const checkSchema = z.object({
  name: z.string(),
  state: stateSchema,
  seconds: z.number(),
  /** What it found, or why it failed or was left out. */
  about: z.string(),
});
export type Check = z.infer<typeof checkSchema>;

const placementSchema = z.object({
  /** What the graph is for. */
  graph: z.string(),
  nodes: z.number(),
  /** Operators that fell back, with how many nodes. */
  onCpu: z.record(z.string(), z.number()),
});
export type Placement = z.infer<typeof placementSchema>;

const measurementSchema = z.object({
  shape: z.enum(shapeNames),
  side: z.enum(sideNames),
  kind: z.enum(kindNames),
  state: stateSchema,
  about: z.string().optional(),
  parameters: z.number().optional(),
  /** Until the model could be used. */
  openSeconds: z.number().optional(),
  /** Tokens that are worked on in each of `seconds`. */
  tokens: z.number().optional(),
  /** The first, which also compiles, and those that are timed. */
  firstSeconds: z.number().optional(),
  seconds: z.array(z.number()),
  /** Of the optimizer, within `seconds`. */
  optimizerSeconds: z.array(z.number()).optional(),
  /** Mean −log p, nats: of every step of a training, or of all scored tokens. */
  losses: z.array(computed).optional(),
  norms: z.array(computed).optional(),
  /** The highest use of the GPU's memory, without what was used before. */
  gpuBytes: z.number().optional(),
  /** The highest resident size of the process. */
  hostBytes: z.number().optional(),
});
export type Measurement = z.infer<typeof measurementSchema>;

const vulkanSchema = z.object({
  works: z.boolean(),
  /** The manifest in use, and where it came from. */
  manifest: z.string().optional(),
  how: z.string().optional(),
  device: z.string().optional(),
  library: z.string().optional(),
  /** Libraries that the machine lacked and the pack lent. */
  lent: z.array(z.string()),
  tried: z.array(z.object({ how: z.string(), works: z.boolean(), reason: z.string() })),
});
export type Vulkan = z.infer<typeof vulkanSchema>;

export const recordSchema = z.object({
  format: z.literal(1),
  began: z.string(),
  seconds: z.number(),
  limitSeconds: z.number(),
  /** False while it runs, and where it was killed. */
  finished: z.boolean(),
  machine: z.record(z.string(), z.string()),
  vulkan: vulkanSchema.optional(),
  checks: z.array(checkSchema),
  placements: z.array(placementSchema),
  measurements: z.array(measurementSchema),
});
export type CheckRecord = z.infer<typeof recordSchema>;

/** Before each line that a child process means for the check; all else that it prints is for the log. */
export const eventMark = '@@';

export const eventSchema = z.discriminatedUnion('event', [
  z.object({ event: z.literal('test'), name: z.string(), error: z.string().optional() }),
  z.object({ event: z.literal('made'), shape: z.enum(shapeNames) }),
  z.object({ event: z.literal('versions'), versions: z.record(z.string(), z.string()) }),
  /** What follows is of this shape and kind. */
  z.object({ event: z.literal('begin'), shape: z.enum(shapeNames), kind: z.enum(kindNames) }),
  z.object({ event: z.literal('opened'), seconds: z.number(), parameters: z.number() }),
  z.object({
    event: z.literal('pass'),
    seconds: z.number(),
    tokens: z.number(),
    optimizer: z.number().optional(),
    loss: computed.optional(),
    norm: computed.optional(),
  }),
  z.object({
    event: z.literal('end'),
    hostBytes: z.number().optional(),
    gpuBytes: z.number().optional(),
    error: z.string().optional(),
  }),
]);
export type Event = z.infer<typeof eventSchema>;
