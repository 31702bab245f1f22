/**
 * The reading of the numbers in words. Each sentence is chosen by the numbers, the unwelcome ones
 * included: a difference whose interval includes 0 is called inconclusive.
 */
import type { ComparedMethod } from './experiment.js';
import { measures, type Measure } from './measures.js';
import { spreadsOf, type PointOf, type SeedPair } from './pairs.js';
import { signOf, spreadOf, type Spread } from './statistics.js';
import { signed, spreadText } from './text.js';

/** What counts as forgetting, and the direction in which it is worse. */
const forgotten = [
  { name: 'stories', worse: 1 },
  { name: 'blimp', worse: -1 },
  { name: 'lambada', worse: -1 },
  { name: 'lambadaLoss', worse: 1 },
  { name: 'kl', worse: 1 },
] as const satisfies { name: Measure; worse: 1 | -1 }[];

/** A paragraph, then a list with one point per measure. */
export function describeReading(pairs: readonly SeedPair[]): string[] {
  const atEqual: PointOf = (pair, method) => pair.equal[method];
  const loss = spreadOf(pairs.map((pair) => pair.loss));
  const points = forgotten.map((each) => `- ${describeMeasure(pairs, atEqual, each)}`);
  return [
    `At equal E2E response loss, ${spreadText(loss, measures.downstream.digits, false)} nats per token:`,
    points.join('\n'),
    describeSpeed(pairs),
  ];
}

function describeMeasure(
  pairs: readonly SeedPair[],
  pointOf: PointOf,
  { name, worse }: (typeof forgotten)[number],
): string {
  const { label, unit, digits, change } = measures[name];
  const { sft, cfs, difference } = spreadsOf(pairs, pointOf, name);
  const text = (spread: Spread, withSign: boolean): string => spreadText(spread, digits, withSign);
  const both = `${label}: ${text(sft, change)} ${unit} with standard fine-tuning, ${text(cfs, change)} with CFS.`;
  return `${both} ${verdict(sft, cfs, difference, worse, text(difference, true))}`;
}

function verdict(
  sft: Spread,
  cfs: Spread,
  difference: Spread,
  worse: 1 | -1,
  shown: string,
): string {
  const saved = -worse * difference.mean;
  const [harm, harmWithCfs] = [worse * sft.mean, worse * cfs.mean];
  const part =
    saved > 0 && harmWithCfs >= 0 ? ` (${signed((100 * saved) / harm, 0, false)} % less)` : '';
  // Where neither lost anything there is nothing to call forgetting.
  const [less, more] =
    harm > 0 || harmWithCfs > 0
      ? [`CFS forgets less${part}`, 'CFS forgets more']
      : ['CFS is ahead', 'CFS is behind'];
  if (difference.interval === undefined) {
    if (saved === 0) return 'No difference in this one seed.';
    return `In this one seed ${saved > 0 ? less : more}.`;
  }
  if (signOf(difference) === 0)
    return `The difference, ${shown}, is inconclusive: the interval includes 0.`;
  return `${saved > 0 ? less : more}, by ${shown}.`;
}

/** What the protection costs: how many steps more, and how well each method knows the task at the end. */
function describeSpeed(pairs: readonly SeedPair[]): string {
  const step = (method: ComparedMethod): Spread =>
    spreadOf(pairs.map(({ equal }) => equal[method].step));
  const end = spreadsOf(pairs, (pair, method) => pair.runs[method].end, 'downstream');
  const { digits } = measures.downstream;
  const sign = signOf(end.difference);
  const order =
    sign === 0
      ? 'the difference is inconclusive'
      : `${sign > 0 ? 'standard' : 'CFS'} learned the new task better in the same number of steps`;
  return `Standard fine-tuning reaches that loss after ${signed(step('sft').mean, 0, false)} steps, CFS after ${signed(step('cfs').mean, 0, false)}. At the end of training the E2E response loss is ${spreadText(end.sft, digits, false)} with standard fine-tuning and ${spreadText(end.cfs, digits, false)} with CFS: ${order}.`;
}
