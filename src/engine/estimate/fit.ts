/** Whether a run will fit, in one sentence, with what to change where it will not. */
import { CfsError } from '../../errors.js';
import { formatBytes } from '../../protocol/format.js';
import type { RunEstimate } from '../../protocol/preview.js';
import type { ProviderName } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { storeBytes, type StorePlan } from '../../trainer/storePlan.js';
import { availableMemory, deviceMemory, heldMemory } from './machine.js';
import type { Moment } from './memory.js';

/** Above this share of what there is, anything else that runs makes it too little. */
const tight = 0.8;

interface Room {
  needed: number;
  /** Undefined where nothing tells it. */
  available: number | undefined;
}
interface MemoryRoom extends Room {
  /** When most is needed. */
  moment: Moment;
}

/** What a run needs and what there is. */
export interface Rooms {
  memory: MemoryRoom;
  /** A GPU's own memory, where one is used. */
  device: MemoryRoom | undefined;
  disk: Room;
}

/** What to change so that a run fits. */
export interface Advice {
  /** Without a capital and a full stop. */
  text: string;
  field: string;
}

/** The worst of memory, GPU memory and disk decides. */
export function judgeFit(
  provider: ProviderName,
  { memory, device, disk }: Rooms,
  advise: () => Advice,
): Pick<RunEstimate, 'verdict' | 'reason'> {
  const measured =
    provider === 'cpu' ? '' : ` Estimated from CPU runs; ${provider} was not measured.`;
  if (compare(disk) === 'too-large') {
    const what = `Checkpoints and model need ${inWords(disk)} disk space`;
    return { verdict: 'too-large', reason: `${what}: free some, or keep fewer checkpoints.` };
  }
  const [worst, kind] = worstMemory(memory, device);
  const verdict = compare(worst);
  const unknown =
    device && device.available === undefined
      ? ` It also needs about ${formatBytes(device.needed)} of GPU memory; how much there is could not be determined.`
      : '';
  const what = `It needs about ${inWords(worst)} ${kind}`;
  const advice = verdict === 'fits' ? '' : `: ${advise().text}, or close other programs`;
  return { verdict, reason: `${what}${advice}.${unknown}${measured}` };
}

/** What needs memory, and what it does when it needs most. */
export type NeedWords = { what: string } & Record<Moment, string>;

const runWords: NeedWords = {
  what: 'This run',
  sampling: 'writes samples',
  training: 'trains',
};

/** `MEMORY_SHORT` for what needs more memory than there is. */
export function memoryProblem(
  { memory, device }: Omit<Rooms, 'disk'>,
  advise: () => Advice,
  words: NeedWords = runWords,
): CfsError | undefined {
  const [worst, kind] = worstMemory(memory, device);
  if (compare(worst) !== 'too-large') return undefined;
  const { text, field } = advise();
  return memoryShort(words.what, worst, kind, `while it ${words[worst.moment]}`, {
    text: `${text}, or close other programs`,
    field,
  });
}

/**
 * Before anything is read: what the store keeps has to fit at least. All that a run needs is only known
 * when its data are. Throws `MEMORY_SHORT`.
 */
export async function requireStore(plan: StorePlan): Promise<void> {
  const onHost = plan.place === 'host';
  const available = onHost ? availableMemory(heldMemory()) : await deviceMemory();
  const room = { needed: storeBytes(plan), available };
  if (compare(room) !== 'too-large') return;
  const text = `choose a smaller base model${onHost ? '' : ', or provider: cpu'}`;
  const kind = onHost ? 'memory' : 'GPU memory';
  throw memoryShort(runWords.what, room, kind, 'for the model alone', { text, field: 'model' });
}

/** Smaller settings that could be tried, the largest first. */
export interface Smaller {
  /** Of `generation.batchSize`. */
  batch: readonly number[];
  /** Of `training.maxTokensPerMicroBatch`. */
  tokens: readonly number[];
}

/**
 * The largest of the smaller settings with which a run fits, found by asking its plan: `sharesOf` says
 * which share of the memory it needs at each moment. Fewer tokens at once cost time, but change nothing
 * in what is learned; below one line nothing changes.
 */
export function adviseOn(
  config: RunConfig,
  parameters: number,
  smaller: Smaller,
  sharesOf: (config: RunConfig) => Record<Moment, number>,
): Advice {
  for (const limit of [tight, 1]) {
    const steps = [
      { moment: 'sampling' as const, values: smaller.batch, ...batchSize },
      { moment: 'training' as const, values: smaller.tokens, ...microBatch },
    ].filter(({ moment }) => sharesOf(config)[moment] > limit);
    const found = steps.map(({ moment, values, set, ...names }) => {
      const value = values.find((one) => sharesOf(set(config, one))[moment] <= limit);
      return value === undefined ? undefined : { value, ...names };
    });
    if (found.length === 0 || found.includes(undefined)) continue;
    const changes = found.filter((one) => one !== undefined);
    const words = changes.map(({ label, field, value }) => `set “${label}” (${field}) to ${value}`);
    return { text: words.join(' and '), field: changes[0]?.field ?? 'model' };
  }
  const least = microBatch.set(
    batchSize.set(config, smaller.batch.at(-1) ?? config.generation.batchSize),
    smaller.tokens.at(-1) ?? config.training.maxTokensPerMicroBatch,
  );
  const share = Math.max(...Object.values(sharesOf(least)));
  const millions = Math.floor((parameters * tight) / share / 1e6);
  const size = millions > 0 ? ` of about ${millions} million weights` : '';
  return { text: `choose a smaller base model${size} or shorter rows`, field: 'model' };
}

const batchSize = {
  field: 'generation.batchSize',
  label: 'Batch size',
  set: (config: RunConfig, value: number): RunConfig => ({
    ...config,
    generation: { ...config.generation, batchSize: value },
  }),
};
const microBatch = {
  field: 'training.maxTokensPerMicroBatch',
  label: 'Tokens per micro-batch',
  set: (config: RunConfig, value: number): RunConfig => ({
    ...config,
    training: { ...config.training, maxTokensPerMicroBatch: value },
  }),
};

function worstMemory(
  memory: MemoryRoom,
  device: MemoryRoom | undefined,
): [MemoryRoom, 'memory' | 'GPU memory'] {
  return device && rank(device) > rank(memory) ? [device, 'GPU memory'] : [memory, 'memory'];
}

function memoryShort(
  what: string,
  room: Room,
  kind: string,
  when: string,
  { text, field }: Advice,
): CfsError {
  return new CfsError({
    code: 'MEMORY_SHORT',
    message: `${what} needs about ${inWords(room)} ${kind}, ${when}.`,
    remedy: `${text.charAt(0).toUpperCase()}${text.slice(1)}.`,
    place: { field },
  });
}

function compare({ needed, available }: Room): RunEstimate['verdict'] {
  if (available === undefined) return 'fits';
  if (needed > available) return 'too-large';
  return needed > tight * available ? 'tight' : 'fits';
}

/** The share that is needed of what there is. */
function rank({ needed, available }: Room): number {
  return available === undefined ? 0 : needed / available;
}

function inWords({ needed, available }: Room): string {
  if (available === undefined) return `${formatBytes(needed)} of`;
  return `${formatBytes(needed)} of the ${formatBytes(available)} of free`;
}
