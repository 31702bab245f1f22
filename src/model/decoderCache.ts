/**
 * The keys and values of what every row has read so far, in JavaScript's memory: one array per
 * layer, fed to each run without a copy. A token stands in the slot of its position, so a row that
 * starts over only forgets its length; what is left in its slots is hidden by the graph.
 */
import { discard } from '../discard.js';
import { defined } from '../errors.js';
import { float32, floats, type Feeds, type Tensor } from '../runtime/index.js';
import type { Architecture } from './architecture.js';
import { own } from '../own.js';

export interface DecoderCache {
  /** Tokens of each row that are in the cache; set one to 0 to forget the row. `[batch]` */
  readonly lengths: Int32Array;
  /** Makes room for `count` more tokens in every row. */
  reserve(count: number): void;
  /**
   * Appends the first `counts[row]` of the `n` new keys and values of each row, from the outputs
   * `keys0` …, `values0` …, `[batch, kvHeads, n, headDim]`, whose memory it gives back.
   */
  append(outputs: Record<string, Tensor>, n: number, counts: ArrayLike<number>): void;
  /** The inputs `pastKeys0` …, `pastValues0` …, `lengths` and `slots` of the decoding graphs. */
  feeds(): Feeds;
  /** Gives the memory back; nothing may be read afterwards. */
  release(): void;
}

/**
 * Slots are added in this many. Sums over a cache come out the same bit for bit however many hidden
 * slots follow, as long as the kernels' unrolled loops divide this number.
 */
const slotStep = 64;

/** Bytes of a cache in which each of `batch` rows has read `tokens` tokens. */
export function cacheBytes(
  { layers, kvHeads, headDim }: Architecture,
  batch: number,
  tokens: number,
): number {
  const slots = Math.max(1, Math.ceil(tokens / slotStep)) * slotStep;
  return 2 * layers * batch * kvHeads * headDim * slots * Float32Array.BYTES_PER_ELEMENT;
}

export function createDecoderCache(architecture: Architecture, batch: number): DecoderCache {
  const { layers, kvHeads, headDim } = architecture;
  const lines = batch * kvHeads;
  const lengths = new Int32Array(batch);
  let slots = slotStep;
  const names = Array.from({ length: layers }, (_, layer) => [`Keys${layer}`, `Values${layer}`]);
  const stored = new Map(
    names.flat().map((name) => [name, new Float32Array(lines * slots * headDim)]),
  );

  const resize = (wanted: number): void => {
    for (const [name, old] of stored) {
      const grown = new Float32Array(lines * wanted * headDim);
      for (let line = 0; line < lines; line++) {
        const from = line * slots * headDim;
        grown.set(old.subarray(from, from + slots * headDim), line * wanted * headDim);
      }
      discard(old);
      stored.set(name, grown);
    }
    slots = wanted;
  };

  return {
    lengths,
    reserve: (count) => {
      const needed = Math.max(...lengths) + count;
      if (needed > slots) resize(Math.ceil(needed / slotStep) * slotStep);
    },
    append: (outputs, n, counts) => {
      for (const [name, target] of stored) {
        const fresh = floats(own(outputs, outputName(name)));
        for (let line = 0; line < lines; line++) {
          const row = Math.floor(line / kvHeads);
          const from = line * n * headDim;
          const added = fresh.subarray(from, from + defined(counts[row], 'count') * headDim);
          target.set(added, (line * slots + defined(lengths[row], 'length')) * headDim);
        }
        discard(fresh);
      }
      for (let row = 0; row < batch; row++) {
        lengths[row] = defined(lengths[row], 'length') + defined(counts[row], 'count');
      }
    },
    feeds: () => {
      const feeds: Feeds = {
        lengths: float32(Float32Array.from(lengths), [batch, 1, 1, 1]),
        slots: float32(
          Float32Array.from({ length: slots }, (_, slot) => slot),
          [1, 1, 1, slots],
        ),
      };
      for (const [name, data] of stored) {
        feeds[`past${name}`] = float32(data, [batch, kvHeads, slots, headDim]);
      }
      return feeds;
    },
    release: () => stored.forEach(discard),
  };
}

function outputName(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
