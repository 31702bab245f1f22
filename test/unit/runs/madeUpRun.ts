/**
 * A run that nobody trained, for the tests of the run folder and the report: seeded curves in the
 * shape of real ones.
 */
import { createRandom } from '../../../src/random.js';
import type {
  RunEvent,
  RunResults,
  SampleRecord,
  TaskResult,
} from '../../../src/protocol/records.js';
import { parseRunConfig } from '../../../src/runs/config.js';
import type { RunConfig } from '../../../src/runs/configSchema.js';

const tasks = ['stories', 'arithmetic', 'sorting', 'facts', 'records'];
const steps = 600;

export function madeUpConfig(method: string = 'cfs', name = 'poems'): RunConfig {
  const text = `name: ${JSON.stringify(name)}\nmodel: base\ndataset: poems.jsonl\nmethod: ${method}\n`;
  return parseRunConfig(text, '/somewhere/run.yaml');
}

export function timeAt(second: number): string {
  return new Date(Date.UTC(2026, 0, 2) + second * 1000).toISOString();
}

export function madeUpEvents(method: string = 'cfs'): RunEvent[] {
  const random = createRandom(7, method === 'cfs' ? 1 : 0);
  const loss = method === 'cfs' ? 0.15 : 1;
  const events: RunEvent[] = [
    { type: 'run_started', time: timeAt(0), step: 0, provider: 'cpu', versions: {} },
    { type: 'bos_found', time: timeAt(1), id: 1, token: '<s>', reason: 'tokenizer_config.json' },
    {
      type: 'warning',
      time: timeAt(2),
      code: 'ROWS_CUT',
      message: '3 rows are longer than 512 tokens and were cut.',
      remedy: 'Raise training.maxLength.',
    },
  ];
  events.push({
    type: 'phase',
    time: timeAt(8),
    phase: 'training',
    progress: 0,
    total: steps,
  });
  for (let step = 0; step <= steps; step++) {
    const done = 1 - Math.exp((-3 * step) / steps);
    if (step > 0) {
      const sftLoss = 3.2 - 1.9 * done + 0.12 * random.normal();
      const cfsLoss = method === 'cfs' ? 2.1 + 0.05 * done + 0.06 * random.normal() : null;
      events.push({
        type: 'train_step',
        time: timeAt(10 + step),
        step,
        loss: sftLoss + (cfsLoss ?? 0),
        losses: { dataset: sftLoss, ...(cfsLoss === null ? {} : { cfs: cfsLoss }) },
        learningRate: 1e-4 * (1 - step / steps),
        gradNorm: 1.5 + 0.2 * random.normal(),
        tokens: 2048,
        tokensPerSecond: 4300,
        secondsLeft: (steps - step) * 0.4,
      });
    }
    if (step % 50 > 0) continue;
    events.push({
      type: 'evaluation',
      time: timeAt(10 + step),
      step,
      kind: 'subset',
      tasks: tasks.map((task, i) => {
        const change = step === 0 ? 0 : -loss * done * (0.1 + 0.07 * i) + 0.012 * random.normal();
        const base = 0.9 - 0.08 * i;
        return {
          task,
          metric: 'acc',
          higherIsBetter: true,
          score: base + change,
          stderr: 0.03,
          n: 100,
          change,
        };
      }),
      kl: { mean: loss * 14 * done, stderr: loss * done, samples: 32 },
      downstream: {
        task: 'poems',
        metric: 'loss',
        higherIsBetter: false,
        score: 3.3 - 1.9 * done,
        stderr: 0.02,
        n: 200,
      },
    });
  }
  events.push({ type: 'run_finished', time: timeAt(20 + steps), step: steps });
  return events;
}

export function madeUpSamples(texts: readonly string[]): SampleRecord[] {
  const random = createRandom(3);
  return texts.map((text, index) => {
    const pieces = text.match(/\s?\S+|\s/g) ?? [];
    return {
      index,
      bosId: 1,
      tokens: pieces.map(() => random.below(500)),
      text,
      pieces,
      logprobs: pieces.map(() => -9 * random.uniform() ** 3),
      entropy: 1.4,
      stop: index % 3 === 0 ? 'length' : 'eos',
    };
  });
}

export function madeUpResults(method: string = 'cfs'): RunResults {
  const loss = method === 'cfs' ? 0.15 : 1;
  const results = tasks.map((task, i): TaskResult => {
    const base = 0.9 - 0.08 * i;
    const change = -loss * 0.95 * (0.1 + 0.07 * i);
    return {
      task,
      metric: 'acc',
      higherIsBetter: true,
      n: 500,
      base: { score: base, stderr: 0.013 },
      final: { score: base + change, stderr: 0.02 },
      change,
      interval: [change - 0.03, change + 0.03],
      rightToWrong: Math.round(-change * 500) + 11,
      wrongToRight: 11,
    };
  });
  return {
    method,
    steps,
    savedStep: steps,
    provider: 'cpu',
    tasks: results,
    downstream: {
      task: 'poems',
      metric: 'loss',
      higherIsBetter: false,
      n: 200,
      base: { score: 3.3, stderr: 0.02 },
      final: { score: 1.5, stderr: 0.02 },
      change: -1.8,
      interval: [-1.84, -1.76],
    },
    forgetting: [
      {
        unit: 'fraction',
        tasks: tasks.length,
        averageForgetting: loss * 0.228,
        worst: { task: 'records', forgetting: loss * 0.361 },
      },
    ],
    kl: { mean: loss * 13.3, stderr: 0.6, samples: 32 },
    timings: { generating: method === 'cfs' ? 12.4 : 0, training: 240, evaluating: 31, total: 291 },
    versions: { node: '20.0.0', 'onnxruntime-node': '1.30.0' },
  };
}
