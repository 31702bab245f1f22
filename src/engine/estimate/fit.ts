/** Whether a run will fit, in one sentence, with what to change where it will not. */
import { totalmem } from 'node:os';
import { CfsError } from '../../errors.js';
import { formatBytes } from '../../protocol/format.js';
import type { RunEstimate } from '../../protocol/preview.js';
import type { ProviderName } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import { storeBytes, type StorePlan } from '../../trainer/storePlan.js';
import { deviceMemory } from './machine.js';

/** Above this share of what there is, anything else that runs makes it too little. */
const tight = 0.8;

interface Room {
  needed: number;
  /** Undefined where nothing tells it. */
  available: number | undefined;
}
type MemoryRoom = Room & Pick<RunEstimate['memory'], 'parts'>;

/** What a run needs and what there is. */
export interface Rooms {
  memory: MemoryRoom;
  /** A GPU's own memory, where one is used. */
  device: MemoryRoom | undefined;
  disk: Room;
}

/** The worst of memory, GPU memory and disk decides; `time` is the tokens of a line. */
export function judgeFit(
  provider: ProviderName,
  config: Pick<RunConfig, 'training'>,
  time: number,
  { memory, device, disk }: Rooms,
): Pick<RunEstimate, 'verdict' | 'reason'> {
  const measured =
    provider === 'cpu' ? '' : ` Estimated from CPU runs; ${provider} was not measured.`;
  if (compare(disk) === 'too-large') {
    const what = `Checkpoints and model need ${inWords(disk)} disk space`;
    return { verdict: 'too-large', reason: `${what}: free some, or keep fewer checkpoints.` };
  }
  const [worst, kind] =
    device && rank(device) > rank(memory)
      ? ([device, 'GPU memory'] as const)
      : ([memory, 'memory'] as const);
  const verdict = compare(worst);
  const unknown =
    device && device.available === undefined
      ? ` It also needs about ${formatBytes(device.needed)} of GPU memory; how much there is could not be determined.`
      : '';
  const what = `It needs about ${inWords(worst)} ${kind}`;
  const advice = verdict === 'fits' ? '' : `: ${remedy(config, time, worst)}`;
  return { verdict, reason: `${what}${advice}.${unknown}${measured}` };
}

/**
 * What the store keeps has to fit at least; more than there is cannot work. Throws `MEMORY_SHORT`.
 */
export async function requireMemory(plan: StorePlan): Promise<void> {
  const needed = storeBytes(plan);
  const onHost = plan.place === 'host';
  const available = onHost ? totalmem() : await deviceMemory();
  if (available === undefined || needed < available) return;
  throw new CfsError({
    code: 'MEMORY_SHORT',
    message: `Training this model takes at least ${formatBytes(needed)}, but this ${onHost ? 'machine' : 'GPU'} has ${formatBytes(available)}.`,
    remedy: onHost
      ? 'Choose a smaller base model.'
      : 'Choose a smaller base model, or provider: cpu.',
    place: { field: 'model' },
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

/** Tokens per micro-batch come first: fewer cost time, but change nothing in what is learned. */
function remedy(
  { training }: Pick<RunConfig, 'training'>,
  time: number,
  { needed, available = Infinity, parts }: MemoryRoom,
): string {
  const activations = parts.activations ?? 0;
  const excess = needed - tight * available;
  // A line is never cut: below its length nothing changes.
  if (training.maxTokensPerMicroBatch > time && activations > excess) {
    const share = 1 - excess / activations;
    const tokens = Math.max(time, Math.floor((share * training.maxTokensPerMicroBatch) / 64) * 64);
    return `set “Tokens per micro-batch” (training.maxTokensPerMicroBatch) to ${tokens} or close other programs`;
  }
  return 'choose a smaller base model or shorter rows, or close other programs';
}
