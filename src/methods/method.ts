/**
 * What a fine-tuning method is: one descriptor that the schema of `run.yaml`, the form, the preview,
 * the engine and the reports read. A method is added by one file and its place in `list.ts`.
 *
 * Descriptors import other rooms as types only, so that pages can read them too.
 */
import type { z } from 'zod';
import type * as operators from '../graph/index.js';
import type { Graph, Value } from '../graph/index.js';
import type { MixedStep } from '../mixer/step.js';

/** What `run.yaml` sets for a method. */
export interface MethodSettings<Own = Record<string, unknown>> {
  /** λ of `mix.lambda`: the weight of the loss on mixed-in sources relative to the dataset's. */
  lambda: number;
  /** The method's own fields. */
  own: Own;
}

export interface Method<OwnSchema extends z.ZodObject = z.ZodObject> {
  /** In `run.yaml` and results; its own fields are a section of this name. */
  name: string;
  /** On pages and in reports. */
  label: string;
  /** One sentence for the person choosing. */
  about: string;
  /** Roles of the sources that are mixed into the dataset (`protocol/sourceRoles.ts`). */
  sources: readonly string[];
  settings: {
    /** Fields and sections of `run.yaml`, dotted, that only some methods use and this one does. */
    uses: readonly string[];
    /** Its own fields, each with a default. */
    own?: OwnSchema;
  };
  /** Whether the base model's weights are needed beside the trained ones. */
  needsBase: boolean;
  /**
   * The loss of a step is Σ weight · (−log p + terms) over its supervised tokens. One weight for
   * each of them, row after row in the order of the step: `[supervised tokens]`.
   */
  targetWeights(step: MixedStep, settings: MethodSettings<z.output<OwnSchema>>): Float32Array;
  /** What is added to each −log p in the graph: `nll` and the result are `[targets]`, in nats. */
  terms?(
    ops: typeof operators,
    g: Graph,
    nll: Value,
    settings: MethodSettings<z.output<OwnSchema>>,
  ): Value;
  /** The pull of the optimizer towards the base model's weights. */
  regularizer?(settings: MethodSettings<z.output<OwnSchema>>): { strength: number };
  /** The values of a tensor that are measured and saved at the end, from those before and after. */
  edit?(
    base: Float32Array,
    trained: Float32Array,
    settings: MethodSettings<z.output<OwnSchema>>,
  ): Float32Array;
}
