/** A GPU check as people read it: one line for each model and kind of work, all sides in it. */
import { formatBytes, formatSpread } from '../../bench/support/report.js';
import { rateOf } from '../../bench/support/statistics.js';
import { kindNames, shapeNames } from './record.js';
import type { CheckRecord, Kind, Measurement, Side } from './record.js';

const none = '–';
const kindWords: Record<Kind, string> = {
  score: 'evaluation',
  sample: 'sampling',
  train: 'training step',
};

/** Headings first. */
export function tableOf({ measurements }: CheckRecord): string[][] {
  const lines = shapeNames.flatMap((shape) => kindNames.map((kind) => ({ shape, kind })));
  return [
    [
      'model',
      'work',
      'WebGPU, tokens/s',
      'CPU',
      'ratio',
      'PyTorch eager',
      'ratio',
      'GPU memory',
      'of PyTorch',
    ],
    ...lines.flatMap(({ shape, kind }) => {
      const of = (side: Side): Measurement | undefined =>
        measurements.find((one) => one.shape === shape && one.kind === kind && one.side === side);
      const [webgpu, cpu, torch] = [of('webgpu'), of('cpu'), of('torch')];
      if (webgpu === undefined && cpu === undefined && torch === undefined) return [];
      return [
        [
          shape,
          kindWords[kind],
          speed(webgpu),
          speed(cpu),
          ratio(webgpu, cpu),
          speed(torch),
          ratio(webgpu, torch),
          bytes(webgpu),
          bytes(torch),
        ],
      ];
    }),
  ];
}

function rate(measurement: Measurement | undefined) {
  const { tokens, seconds = [] } = measurement ?? {};
  return tokens === undefined || seconds.length === 0 ? undefined : rateOf(tokens, seconds);
}

/** What was measured before a limit counts; without that, why there is nothing. */
function speed(measurement: Measurement | undefined): string {
  const found = rate(measurement);
  return found ? formatSpread(found) : (measurement?.state ?? none);
}

function ratio(ours: Measurement | undefined, theirs: Measurement | undefined): string {
  const [a, b] = [rate(ours), rate(theirs)];
  return a && b ? `${(a.median / b.median).toFixed(2)} ×` : none;
}

function bytes(measurement: Measurement | undefined): string {
  return measurement?.gpuBytes === undefined ? none : formatBytes(measurement.gpuBytes);
}

export function factsOf({ began, machine, vulkan, seconds }: CheckRecord): Record<string, string> {
  return {
    date: began.slice(0, 10),
    ...machine,
    ...(vulkan?.device && { 'Vulkan device': vulkan.device }),
    duration: `${seconds.toFixed(0)} s`,
  };
}

export function notesOf(record: CheckRecord): string[] {
  const { checks, placements, measurements, finished } = record;
  const fallen = placements
    .filter(({ onCpu }) => Object.keys(onCpu).length > 0)
    .map(({ graph, nodes, onCpu }) => {
      const names = Object.entries(onCpu).map(([name, count]) => `${count} ${name}`);
      return `${graph} (${names.join(', ')}; of ${nodes} nodes)`;
    });
  const missing = measurements
    .filter(({ state }) => state !== 'passed')
    .map(
      ({ shape, side, kind, state, about }) =>
        `${shape}, ${kindWords[kind]}, ${side}: ${state}${about === undefined ? '' : `, ${about}`}`,
    );
  return [
    'Speeds are medians (slowest–fastest); ratios are WebGPU’s speed over the other’s. A training ' +
      'step and an evaluation pass work on 16 × 128 tokens, sampling on 32 rows, all in float32. ' +
      'GPU memory is the highest that nvidia-smi showed beyond what was in use before, and for ' +
      'PyTorch the highest that it had reserved.',
    ...(finished ? [] : ['The check did not come to its end.']),
    ...(placements.length === 0
      ? []
      : [`Nodes that fell back to the CPU: ${fallen.length === 0 ? 'none' : fallen.join('; ')}.`]),
    ['Checks:', ...checks.map(({ name, state, about }) => `- ${name}: ${state}: ${about}`)].join(
      '\n',
    ),
    ...(missing.length === 0
      ? []
      : [['Not measured to the end:', ...missing.map((line) => `- ${line}`)].join('\n')]),
  ].map((note) => note.replaceAll('|', '\\|'));
}
