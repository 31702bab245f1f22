/** Whether a run will fit, in one sentence, with what to change where it will not. */
import { formatBytes } from '../../protocol/format.js';
import type { RunEstimate } from '../../protocol/preview.js';
import type { ProviderName } from '../../runtime/index.js';
import type { RunConfig } from '../../runs/configSchema.js';
import type { StepShape } from '../../trainer/step.js';

/** Above this share of what there is, anything else that runs makes it too little. */
const tight = 0.8;

interface Room {
  needed: number;
  available: number;
}

/** The worse of memory and disk decides. */
export function judgeFit(
  provider: ProviderName,
  config: Pick<RunConfig, 'training'>,
  { time }: Pick<StepShape, 'time'>,
  memory: Room & Pick<RunEstimate['memory'], 'parts'>,
  disk: Room,
): Pick<RunEstimate, 'verdict' | 'reason'> {
  const measured =
    provider === 'cpu' ? '' : ` Estimated from CPU runs; ${provider} was not measured.`;
  const diskVerdict = compare(disk);
  if (diskVerdict === 'too-large') {
    const what = `Checkpoints and model take ${formatBytes(disk.needed)} of disk, and ${formatBytes(disk.available)} are free`;
    return { verdict: 'too-large', reason: `${what}: free some, or keep fewer checkpoints.` };
  }
  const verdict = compare(memory);
  const what = `It takes about ${formatBytes(memory.needed)} of the ${formatBytes(memory.available)} of memory that are free`;
  if (verdict === 'fits') return { verdict, reason: `${what}.${measured}` };
  return { verdict, reason: `${what}: ${remedy(config, time, memory)}.${measured}` };
}

function compare({ needed, available }: Room): RunEstimate['verdict'] {
  if (needed > available) return 'too-large';
  return needed > tight * available ? 'tight' : 'fits';
}

/** Tokens per micro-batch come first: fewer cost time, but nothing of what is learnt. */
function remedy(
  { training }: Pick<RunConfig, 'training'>,
  time: number,
  { needed, available, parts }: Room & Pick<RunEstimate['memory'], 'parts'>,
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
