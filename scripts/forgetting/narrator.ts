/** Tells a person in a terminal how far a run is, and from its own first steps how long all take. */
import { formatNumber, formatSeconds } from '../../src/protocol/format.js';
import type { RunEvent } from '../../src/protocol/records.js';
import type { Experiment } from './experiment.js';

export interface NarratorOptions {
  experiment: Experiment;
  /** Runs still to be made, this one included. */
  runsLeft: number;
  say: (line: string) => void;
}

/** Steps after which the pace is known well enough. */
const pacedSteps = 10;

/** What to do with each event of one run. */
export function narrator({
  experiment,
  runsLeft,
  say,
}: NarratorOptions): (event: RunEvent) => void {
  const { steps } = experiment;
  const began = performance.now();
  let [fullBegan, fullSeconds, firstStepAt] = [NaN, NaN, NaN];
  return (event) => {
    const at = performance.now();
    if (event.type === 'warning') say(`  warning ${event.code}: ${event.message}`);
    if (event.type === 'phase' && event.phase === 'evaluating' && Number.isNaN(fullBegan)) {
      fullBegan = at;
    }
    if (event.type === 'evaluation') {
      const { step, kind, downstream } = event;
      if (kind === 'full' && step === 0) fullSeconds = (at - fullBegan) / 1000;
      say(`  step ${step}, ${kind}: E2E loss ${formatNumber(downstream?.score, 3)}`);
    }
    if (event.type !== 'train_step') return;
    const { step, loss, secondsLeft } = event;
    if (Number.isNaN(firstStepAt)) firstStepAt = at;
    if (step % pacedSteps !== 0) return;
    const left = formatSeconds(secondsLeft ?? NaN);
    say(`  step ${step} of ${steps}: loss ${formatNumber(loss, 3)}, training for another ${left}`);
    // A resumed run has not measured its base model again: then there is no estimate.
    if (step !== pacedSteps || Number.isNaN(fullSeconds)) return;
    const pace = (at - firstStepAt) / 1000 / (pacedSteps - 1);
    const seconds = (fullBegan - began) / 1000 + runSeconds(experiment, fullSeconds, pace);
    say(
      `  estimate: ${formatSeconds(seconds)} for this run, ` +
        `${formatSeconds(seconds * runsLeft)} for the ${runsLeft} runs left`,
    );
  };
}

/** Measuring before and after, the points of the curve, the steps; not the samples. */
function runSeconds(
  { steps, every, subset, limit }: Experiment,
  fullSeconds: number,
  stepSeconds: number,
): number {
  const points = Math.floor((steps - 1) / every);
  return 2 * fullSeconds + points * fullSeconds * (subset / limit) + steps * stepSeconds;
}
