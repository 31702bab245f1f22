/**
 * What a run depends on, by content: `identity.json`. It is written while a run begins, part by part
 * as the parts become known, and whoever looks later can tell the same from the changed.
 */
import { z } from 'zod';

/** One thing that a run depends on. */
export const runInputSchema = z.object({
  /** For people, and unique in its group: a file's name, `rows`. */
  name: z.string(),
  /** SHA-256 of its content. */
  hash: z.string(),
  /** How much there is of it, in words. */
  size: z.string().optional(),
});
export type RunInput = z.infer<typeof runInputSchema>;

/** The kinds of inputs, in the order in which people are told of them. */
export const inputGroups = [
  'model',
  'dataset',
  'held-out rows',
  'tasks',
  'samples',
  'KL samples',
  'sources',
  'base scores',
] as const;
export type InputGroup = (typeof inputGroups)[number];

export const runIdentitySchema = z.object({
  format: z.literal(1),
  /** The configuration by dotted field names; without paths, whose files are inputs. */
  settings: z.record(z.string(), z.unknown()),
  /** A group that is listed is complete, also where it is empty. */
  groups: z.array(z.object({ group: z.enum(inputGroups), inputs: z.array(runInputSchema) })),
});
export type RunIdentity = z.infer<typeof runIdentitySchema>;
