/** The checks that come before the measurements: driver, doctor, placements, numbers, a whole job. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { runChild, type ChildOptions, type Clock, type Ended } from './children.js';
import type { Keeper } from './keeper.js';
import { driverTraces } from './machine.js';
import type { Request } from './measure.js';
import type { Placement, Vulkan } from './record.js';
import { findDrivers, foldersOf, missingNeeds, type DriverCandidate } from './vulkan.js';

/** Where the check is and what it may use. */
export interface Place {
  keeper: Keeper;
  clock: Clock;
  pack: string;
  work: string;
  environment: NodeJS.ProcessEnv;
  /** Multiplies every time limit but the whole check's, for a software device. */
  patience: number;
}

/** Runs one of the pack's programs with the pack's own Node. */
export function runProgram(
  { keeper, clock, pack, environment, patience }: Place,
  args: readonly string[],
  options: Partial<ChildOptions> & { limitSeconds: number },
): Promise<Ended> {
  const [program = '', ...rest] = args;
  return runChild(process.execPath, [join(pack, program), ...rest], {
    environment,
    log: keeper.log,
    ...options,
    limitSeconds: Math.min(options.limitSeconds * patience, clock.left()),
  });
}

export function measureArgs(request: Request): string[] {
  return ['checks/measure.mjs', JSON.stringify(request)];
}

/** The longest that a driver may take to start. */
const probeSeconds = 40;

/**
 * The environment in which WebGPU starts, by trying each driver that may be there; undefined where
 * none does. `lent`: libraries that the machine lacked.
 */
export async function chooseDriver(
  place: Place,
  lent: string[],
): Promise<NodeJS.ProcessEnv | undefined> {
  const { keeper, work, environment } = place;
  const vulkan: Vulkan = { works: false, lent, tried: [] };
  keeper.record.vulkan = vulkan;
  const folder = join(work, 'vulkan');
  const began = performance.now();
  let chosen: NodeJS.ProcessEnv | undefined;
  const candidates = findDrivers({ root: '/', environment, folder });
  keeper.log(`${driverTraces()}\ncandidates: ${JSON.stringify(candidates, null, 1)}\n`);
  for (const candidate of candidates) {
    const tried: Place = { ...place, environment: environmentFor(place, candidate) };
    let used: string[] | undefined;
    let error = '';
    const ended = await runProgram(tried, measureArgs({ what: 'probe' }), {
      limitSeconds: probeSeconds,
      environment: { ...tried.environment, VK_LOADER_DEBUG: 'error,warn,driver' },
      onEvent: (event) => (error = (event.event === 'end' && event.error) || ''),
      onLine: (line) => {
        used ??= /Using "(.+?)" with driver: "(.+?)"/.exec(line)?.slice(1);
      },
    });
    const works = ended.state === 'passed';
    const reason = works ? '' : whyNot(ended, error, candidate, tried.environment);
    vulkan.tried.push({ how: candidate.how, works, reason });
    keeper.save();
    if (!works) continue;
    const { how, manifest } = candidate;
    const [device, library] = used ?? [];
    Object.assign(vulkan, { works, how, manifest, device, library });
    chosen = tried.environment;
    break;
  }
  const about = vulkan.works
    ? `${vulkan.device ?? 'a device'}, by ${vulkan.how ?? ''}`
    : `WebGPU does not start on any of ${candidates.length} drivers tried: ` +
      `${vulkan.tried.map(({ how, reason }) => `${how}: ${reason}`).join('; ')}`;
  keeper.addCheck({
    name: 'Vulkan driver',
    state: vulkan.works ? 'passed' : 'failed',
    seconds: (performance.now() - began) / 1000,
    about,
  });
  return chosen;
}

function environmentFor({ work, environment }: Place, candidate: DriverCandidate) {
  const folders = [join(work, 'lib'), ...foldersOf(candidate), environment.LD_LIBRARY_PATH ?? ''];
  const { manifest } = candidate;
  return {
    ...environment,
    LD_LIBRARY_PATH: folders.filter((folder) => folder !== '').join(':'),
    ...(manifest && { VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest }),
  };
}

function whyNot(
  { tail, about }: Ended,
  error: string,
  { library }: DriverCandidate,
  environment: NodeJS.ProcessEnv,
): string {
  const missing = library === undefined ? [] : missingNeeds(library, environment);
  if (missing.length > 0) return `its library needs ${missing.join(', ')}, which are not there`;
  const lines = tail.split('\n').filter((line) => /^(error|warning):/i.test(line));
  // ONNX Runtime begins with the place in its own source.
  const words = error.replace(/^.*was false\. /s, '').trim();
  return [words, lines.at(-1)?.trim()].filter(Boolean).join('; ').slice(0, 400) || about;
}

const doctorSchema = z.object({
  providers: z.array(
    z.object({
      name: z.string(),
      works: z.boolean(),
      milliseconds: z.number().optional(),
      reason: z.string().optional(),
    }),
  ),
});

/** `cfs-studio doctor` must find that WebGPU computes what the CPU computes. */
export async function checkDoctor(place: Place): Promise<void> {
  let output = '';
  const ended = await runProgram(place, ['dist/cli.js', 'doctor', '--json'], {
    limitSeconds: 60,
    onLine: (line) => (output += line.startsWith('{') ? line : ''),
  });
  const found = output === '' ? undefined : doctorSchema.safeParse(JSON.parse(output)).data;
  const webgpu = found?.providers.find(({ name }) => name === 'webgpu');
  const words = found?.providers.map(({ name, works, milliseconds, reason }) =>
    works ? `${name} ${milliseconds?.toFixed(1)} ms` : `${name}: ${reason}`,
  );
  place.keeper.addCheck({
    name: 'doctor',
    state: webgpu?.works === true ? 'passed' : ended.state === 'stopped' ? 'stopped' : 'failed',
    seconds: ended.seconds,
    about: words?.join('; ') ?? ended.about,
  });
}

/** Every node of a training step must be on the device; the other graphs are told of. */
export async function checkPlacement(place: Place): Promise<void> {
  const { keeper, pack, work } = place;
  const reader = createPlacementReader();
  const folder = join(pack, 'media', 'demo', 'model');
  const where = { folder, provider: 'webgpu' } as const;
  const ended = await runProgram(place, measureArgs({ what: 'place', where }), {
    limitSeconds: 90,
    errorFile: join(work, 'placements.log'),
    onLine: reader.read,
  });
  const { placements } = reader;
  keeper.record.placements = placements;
  const onCpu = ({ graph, nodes, onCpu }: Placement): string => {
    const fallen = Object.entries(onCpu).map(([name, count]) => `${count} ${name}`);
    return `${graph} ${nodes} nodes${fallen.length > 0 ? `, on the CPU ${fallen.join(', ')}` : ''}`;
  };
  const whole = ['optimizer', 'training step', 'evaluation'].every((name) =>
    placements.some(({ graph, onCpu }) => graph === name && Object.keys(onCpu).length === 0),
  );
  const { state, seconds, about } = ended;
  keeper.addCheck({
    name: 'all of training and evaluation on the device',
    state: state === 'passed' && !whole ? 'failed' : state,
    seconds,
    about: [about, ...placements.map(onCpu)].join('; '),
  });
}

/** Reads what ONNX Runtime prints of where it places nodes. */
export function createPlacementReader() {
  const placements: Placement[] = [];
  let graph = '';
  let provider = '';
  const entryOf = (name: string): Placement => {
    const found = placements.find((placement) => placement.graph === name);
    if (found) return found;
    const fresh: Placement = { graph: name, nodes: 0, onCpu: {} };
    placements.push(fresh);
    return fresh;
  };
  const read = (line: string): void => {
    const begun = /^graph: (.*)$/.exec(line)?.[1];
    if (begun !== undefined) {
      graph = begun;
      provider = '';
      return;
    }
    const [, placedOn, count] = / placed on \[(\w+)\]\. Number of nodes: (\d+)/.exec(line) ?? [];
    if (placedOn !== undefined) {
      provider = placedOn;
      // The identity that copies to or from a device.
      const name = Number(count) === 1 && line.includes('All nodes') ? 'copies' : graph;
      entryOf(name).nodes += Number(count);
      return;
    }
    const operator = /VerifyEachNodeIsAssignedToAnEp\] {3}(\w+) \(/.exec(line)?.[1];
    if (operator === undefined || provider !== 'CPUExecutionProvider') return;
    const { onCpu } = entryOf(graph);
    onCpu[operator] = (onCpu[operator] ?? 0) + 1;
  };
  return { placements, read };
}

/** The project's numeric tests on WebGPU. */
export async function checkNumbers(place: Place, pattern: string): Promise<void> {
  const { keeper, environment } = place;
  let run = 0;
  const failed: string[] = [];
  const ended = await runProgram(place, ['checks/numeric.mjs', pattern], {
    limitSeconds: 150,
    environment: { ...environment, CFS_TEST_PROVIDER: 'webgpu' },
    onEvent: (event) => {
      if (event.event !== 'test') return;
      run++;
      if (event.error !== undefined) failed.push(`${event.name}: ${event.error.slice(0, 200)}`);
    },
  });
  keeper.addCheck({
    name: 'numeric tests on WebGPU',
    // One that is wrong counts also where time ran out after it.
    state: failed.length > 0 ? 'failed' : ended.state,
    seconds: ended.seconds,
    about: [`${run} tests, ${failed.length} failed, ${ended.about}`, ...failed].join('; '),
  });
}

const stepSchema = z.object({ type: z.literal('train_step'), loss: z.number() });

/** Relative difference of a job's first loss. */
const lossTolerance = 1e-4;

/** The demo's job in short, from samples to report, on WebGPU and on the CPU. */
export async function checkJob(place: Place): Promise<void> {
  const { keeper, work, pack } = place;
  const demo = join(pack, 'media', 'demo');
  const losses: number[][] = [];
  let about = '';
  let seconds = 0;
  for (const provider of ['webgpu', 'cpu']) {
    const folder = join(work, 'job', provider);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, 'run.yaml');
    writeFileSync(file, JSON.stringify(jobConfig(demo, provider)));
    const args = ['dist/cli.js', 'run', file, '-C', folder, '--json'];
    const ended = await runProgram(place, args, { limitSeconds: 60 });
    seconds += ended.seconds;
    about += `${provider} ${ended.about} in ${ended.seconds.toFixed(1)} s; `;
    if (ended.state !== 'passed') {
      keeper.addCheck({ name: "the demo's job", state: ended.state, seconds, about });
      return;
    }
    losses.push(readLosses(join(folder, '.cfs', 'runs')));
  }
  const [webgpu = [], cpu = []] = losses;
  const error = Math.abs((webgpu[0] ?? NaN) / (cpu[0] ?? NaN) - 1);
  const list = (values: readonly number[]): string => values.map((x) => x.toFixed(5)).join(' ');
  keeper.addCheck({
    name: "the demo's job",
    state: error < lossTolerance && webgpu.length === cpu.length ? 'passed' : 'failed',
    seconds,
    about: `${about}losses on WebGPU ${list(webgpu)}, on the CPU ${list(cpu)}`,
  });
}

function jobConfig(demo: string, provider: string): object {
  return {
    name: provider,
    model: join(demo, 'model'),
    dataset: join(demo, 'dataset.jsonl'),
    method: 'cfs',
    provider,
    // Few samples, whose first tokens are drawn alike on both sides.
    generation: { count: 4, maxLength: 32, batchSize: 4 },
    training: { learningRate: 1e-3, steps: 3, batchRows: 4, maxLength: 64, checkpointEvery: 2 },
    evaluation: {
      tasks: [join(demo, 'tasks', 'facts.yaml')],
      every: 3,
      subset: 4,
      full: false,
      klSamples: 2,
      downstream: join(demo, 'tasks', 'downstream.jsonl'),
    },
  };
}

/** The loss of every step of the only run there. */
function readLosses(runs: string): number[] {
  const [name = ''] = readdirSync(runs);
  const lines = readFileSync(join(runs, name, 'events.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return lines.flatMap((line) => {
    const step = stepSchema.safeParse(JSON.parse(line));
    return step.success ? [step.data.loss] : [];
  });
}
