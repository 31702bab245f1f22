/**
 * Which provider computes: each candidate does a tiny training step, its numbers are compared with
 * the CPU's, and `auto` takes the fastest that is right. A provider that was asked for by name is
 * never silently replaced.
 */
import { CfsError, defined, messageOf } from '../errors.js';
import {
  differentiate,
  Graph,
  gatherRows,
  linear,
  linearCrossEntropy,
  matmul,
  rmsNorm,
  silu,
  softmax,
  sumAll,
} from '../graph/index.js';
import {
  providerNames,
  type ProviderCheck,
  type ProviderChoice,
  type ProviderName,
} from '../protocol/providers.js';
import { createRandom } from '../random.js';
import { kernelsOf, providers, type Provider } from './providers.js';
import { float32, floats, int32, openDevice, type Feeds } from './session.js';
import { own, setOwn } from '../own.js';

/** What a probe found. */
export type ProbeResult = Omit<ProviderCheck, 'chosen'>;

/** Probes every provider that this platform could have. */
export async function probeProviders(threads?: number): Promise<ProbeResult[]> {
  const expected = await probeStep({ name: 'cpu', threads });
  const results: ProbeResult[] = [];
  for (const name of providerNames) results.push(await probe({ name, threads }, expected.numbers));
  return results;
}

/** The fastest of those that work. */
export function fastest(results: readonly ProbeResult[]): ProviderName {
  const working = results.filter(({ works }) => works);
  const time = ({ milliseconds = Infinity }: ProbeResult): number => milliseconds;
  return defined([...working].sort((a, b) => time(a) - time(b))[0], 'working provider').name;
}

/**
 * The provider for a job. Throws `PROVIDER_FAILED` when one that was asked for by name does not
 * work, with why and what to do.
 */
export async function chooseProvider(wanted: ProviderChoice, threads?: number): Promise<Provider> {
  if (wanted === 'cpu') return { name: 'cpu', threads };
  if (wanted === 'auto') return { name: fastest(await probeProviders(threads)), threads };
  const expected = await probeStep({ name: 'cpu', threads });
  const result = await probe({ name: wanted, threads }, expected.numbers);
  if (result.works) return { name: wanted, threads };
  throw new CfsError({
    code: 'PROVIDER_FAILED',
    message: `The provider ${wanted} does not work here: ${result.reason ?? 'unknown reason'}`,
    remedy: result.remedy ?? defaultRemedy,
    place: { field: 'provider' },
  });
}

const defaultRemedy = 'Set provider: auto or cpu, or run `cfs-studio doctor` to see what works.';

async function probe(provider: Provider, expected: number[]): Promise<ProbeResult> {
  const { name } = provider;
  const { tolerance, remedy } = providers[name];
  try {
    const { numbers, milliseconds } = await probeStep(provider);
    const wrong = numbers.some((value, i) => {
      const reference = expected[i] ?? NaN;
      return !(Math.abs(value - reference) <= tolerance * Math.max(1, Math.abs(reference)));
    });
    if (!wrong) return { name, works: true, milliseconds };
    const reason = 'its numbers differ from those of the CPU';
    return { name, works: false, reason, remedy: 'Update the graphics driver, or use another.' };
  } catch (error) {
    const cause = error instanceof CfsError && error.cause ? error.cause : error;
    return { name, works: false, reason: firstLine(cause), remedy };
  }
}

function firstLine(error: unknown): string {
  const line = messageOf(error).trim().split('\n')[0] ?? '';
  // ONNX Runtime begins with the place in its own source; what happened is at the end.
  return line.replace(/^.*? (was false\.|:) ?/, '').trim() || line;
}

/** One block's worth of training: forward, loss, gradients of every weight. */
async function probeStep(provider: Provider): Promise<{ numbers: number[]; milliseconds: number }> {
  const device = await openDevice(provider);
  const g = new Graph(kernelsOf(provider.name));
  const random = createRandom(7);
  const data = new Map<string, { values: Float32Array; dims: number[] }>();
  const input = (name: string, dims: number[], scale: number) => {
    const size = dims.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: size }, () => random.normal() * scale);
    data.set(name, { values, dims });
    return g.input(name, 'float32', dims);
  };
  const x = input('x', [rows, width], 1);
  const norm = input('norm', [width], 1);
  const up = input('up', [2 * width, width], 0.05);
  const down = input('down', [width, 2 * width], 0.05);
  const head = input('head', [vocab, width], 0.05);

  const h = rmsNorm(g, x, norm, 1e-5);
  const mixed = matmul(g, softmax(g, matmul(g, h, h, { transB: true, alpha: 0.05 })), h);
  const y = linear(g, silu(g, linear(g, mixed, up)), down);
  const picked = gatherRows(g, y, g.input('at', 'int32', [rows / 2]));
  const { nll } = linearCrossEntropy(g, picked, head, g.input('targets', 'int32', [rows / 2]));
  g.output('loss', sumAll(g, nll));
  const weights = [norm, up, down, head];
  differentiate(g, sumAll(g, nll), weights).forEach((gradient, i) => {
    g.output(`sum${i}`, g.emit('ReduceSumSquare', [gradient], [], { attributes: { keepdims: 0 } }));
  });

  const session = await device.session(g.encode('probe'));
  const integers = (count: number, below: number) =>
    int32(
      Int32Array.from({ length: count }, (_, i) => (i * 7) % below),
      [count],
    );
  const feeds: Feeds = { at: integers(rows / 2, rows), targets: integers(rows / 2, vocab) };
  for (const [name, { values, dims }] of data) setOwn(feeds, name, float32(values, dims));
  let milliseconds = Infinity;
  let numbers: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const started = performance.now();
    const outputs = await session.run(feeds);
    numbers = ['loss', ...weights.map((_, i) => `sum${i}`)].map((name) =>
      defined(floats(own(outputs, name))[0], name),
    );
    milliseconds = Math.min(milliseconds, performance.now() - started);
  }
  await session.release();
  return { numbers, milliseconds };
}

/** Large enough that a GPU shows its worth, small enough that the probe takes a blink. */
const [rows, width, vocab] = [256, 256, 2048];
