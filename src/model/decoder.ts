/**
 * Writing text token by token: rows of a batch side by side, each with a past of its own length.
 * Who starts which row when is the caller's business (`generator/`); here a row can be forgotten,
 * given a prompt, and continued by some tokens.
 */
import { defined } from '../errors.js';
import {
  float32,
  floats,
  heldFeeds,
  int32,
  int64,
  type Device,
  type HeldWeights,
  type Session,
} from '../runtime/index.js';
import type { Architecture } from './architecture.js';
import { createDecoderCache } from './decoderCache.js';
import { decodeGraph, prefillGraph, type DecoderShape } from './decoderGraph.js';
import type { Sampling } from './decoderSampling.js';

export interface DecoderOptions {
  /** Rows decoded side by side. */
  batch: number;
  sampling: Sampling;
  /** Longest sequence of a row in tokens, prompt included; the model's context by default. */
  maxTokens?: number;
}

/** What a run chose. Idle rows hold numbers without a meaning. */
export interface Steps {
  steps: number;
  /** `[steps, batch]` */
  tokens: Int32Array;
  /** log p(token) under the full distribution at T = 1, nats. `[steps, batch]` */
  logprobs: Float32Array;
  /** Entropy of the full distribution at T = 1, nats. `[steps, batch]` */
  entropies: Float32Array;
}

export interface Decoder {
  readonly batch: number;
  /** Longest sequence of a row in tokens. */
  readonly maxTokens: number;
  /** Forgets what a row has read. */
  clear(row: number): void;
  /** Makes row i read `prompts[i]` without writing; an empty list leaves the row alone. */
  prefill(prompts: readonly (readonly number[])[]): Promise<void>;
  /**
   * Every row reads `last[row]`, and then writes as many tokens as there are `steps`, reading all
   * but the last of them. A row with `last[row] = idle` rests. `uniforms` `[steps, batch]` in [0, 1)
   * decide the tokens; greedy decoders ignore them.
   */
  run(last: Int32Array, steps: number, uniforms: Float32Array): Promise<Steps>;
  /** Frees the cache. */
  release(): void;
}

/** Makes decoders; those of one shape share their sessions, whatever weights they read. */
export interface Decoders {
  /**
   * A decoder of the weights in `held` (by parameter name), which every run reads as they are then.
   * Throws `SESSION_FAILED`.
   */
  open(held: HeldWeights, options: DecoderOptions): Promise<Decoder>;
  /** Of all sessions; no decoder may be used afterwards. */
  release(): Promise<void>;
}

/**
 * Steps in one run; a row that ends within a run waits for its end. The costs of a run itself are
 * small beyond this.
 */
export const stepsPerRun = 16;

/** In `last`: this row has nothing to write. */
export const idle = -1;

/** Prompt tokens of a row read in one run. */
const prefillTokens = 128;

export function createDecoders(device: Device, architecture: Architecture): Decoders {
  const provider = device.provider.name;
  const sessions = new Map<string, Promise<Session>>();
  const sessionOf = (key: string, graph: () => Uint8Array): Promise<Session> => {
    const session = sessions.get(key) ?? device.session(graph());
    sessions.set(key, session);
    return session;
  };
  return {
    open: async (held, options) => {
      const { batch, sampling } = options;
      const maxTokens = options.maxTokens ?? architecture.contextLength;
      const shape: DecoderShape = { batch, positions: maxTokens + stepsPerRun };
      const key = JSON.stringify(shape);
      const decode = await sessionOf(key + JSON.stringify(sampling), () =>
        decodeGraph(architecture, provider, shape, sampling),
      );
      // Most samples have no prompt, so this session is made when one comes.
      const prefill = (): Promise<Session> =>
        sessionOf(key, () => prefillGraph(architecture, provider, shape));
      return openDecoder(architecture, held, { decode, prefill, shape, maxTokens });
    },
    release: async () => {
      for (const session of sessions.values()) await (await session).release();
      sessions.clear();
    },
  };
}

interface Opened {
  decode: Session;
  prefill: () => Promise<Session>;
  shape: DecoderShape;
  maxTokens: number;
}

function openDecoder(
  architecture: Architecture,
  held: HeldWeights,
  { decode, prefill, shape, maxTokens }: Opened,
): Decoder {
  const { batch } = shape;
  const cache = createDecoderCache(architecture, batch);

  const prefillChunk = async (chunks: readonly (readonly number[])[]): Promise<void> => {
    const time = Math.max(...chunks.map((chunk) => chunk.length));
    const group = architecture.heads / architecture.kvHeads;
    const tokens = new Int32Array(batch * time);
    chunks.forEach((chunk, row) => tokens.set(chunk, row * time));
    const positions = Int32Array.from(
      { length: batch * time },
      (_, i) => defined(cache.lengths[Math.floor(i / time)], 'length') + (i % time),
    );
    const upTo = (count: number): Float32Array =>
      Float32Array.from({ length: count }, (_, i) => i % time);
    cache.reserve(time);
    const outputs = await (
      await prefill()
    ).run({
      ...heldFeeds(held),
      ...cache.feeds(),
      tokens: int32(tokens, [batch * time]),
      positions: int64(clampTo(positions, shape.positions - 1), [batch, time]),
      queryTimes: float32(upTo(group * time), [1, 1, group * time, 1]),
      keyTimes: float32(upTo(time), [1, 1, 1, time]),
    });
    cache.append(
      outputs,
      time,
      chunks.map((chunk) => chunk.length),
    );
  };

  return {
    batch,
    maxTokens,
    clear: (row) => {
      cache.lengths[row] = 0;
    },
    prefill: async (prompts) => {
      const longest = Math.max(...prompts.map((prompt) => prompt.length));
      for (let from = 0; from < longest; from += prefillTokens) {
        await prefillChunk(prompts.map((prompt) => prompt.slice(from, from + prefillTokens)));
      }
    },
    run: async (last, steps, uniforms) => {
      cache.reserve(steps);
      const outputs = await decode.run({
        ...heldFeeds(held),
        ...cache.feeds(),
        tokens: int32(
          last.map((token) => Math.max(token, 0)),
          [batch],
        ),
        // What an idle row holds must not lead it beyond the rotary tables.
        positions: int64(
          cache.lengths.map((length, row) => (last[row] === idle ? 0 : length)),
          [batch, 1],
        ),
        uniforms: float32(uniforms, [steps, batch, 1]),
      });
      cache.append(
        outputs,
        steps,
        Array.from(last, (token) => (token === idle ? 0 : steps)),
      );
      return {
        steps,
        tokens: integers(outputs.chosen?.data),
        logprobs: floats(outputs.logprobs),
        entropies: floats(outputs.entropies),
      };
    },
    release: () => cache.release(),
  };
}

/** Idle rows and padding may stand beyond the rotary tables; nobody reads what they make. */
function clampTo(values: Int32Array, highest: number): Int32Array {
  return values.map((value) => Math.min(value, highest));
}

function integers(data: unknown): Int32Array {
  if (!(data instanceof Int32Array)) throw new Error('Internal error: expected int32');
  return data;
}
