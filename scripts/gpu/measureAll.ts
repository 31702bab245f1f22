/**
 * The measurements of the GPU check: every model by every side, the sides one after another so that
 * they do not disturb each other, small models first. What a child tells is written down at once.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { relativeError } from '../../bench/support/statistics.js';
import { runChild, type Ended } from './children.js';
import type { GpuMemory } from './machine.js';
import type { Event, Kind, Measurement, ShapeName, Side } from './record.js';
import { makeRows, optimizer, work as workOf } from './shapes.js';
import { measureArgs, runProgram, type Place } from './stages.js';

export interface Measuring {
  place: Place;
  /** Where WebGPU works; undefined where it does not. */
  gpu: Place | undefined;
  memory: GpuMemory;
  shapes: ShapeName[];
  sides: Side[];
}

/** Seconds for reading a model's weights, and then for each kind of work, on a device. */
const limits: Record<ShapeName, number> = {
  demo: 30,
  '15M': 40,
  '110M': 50,
  '350M': 60,
  '1.1B': 90,
};

/** A CPU would take minutes for as many steps of a large model. */
const timedOnCpu: Record<ShapeName, number> = {
  demo: 2,
  '15M': 3,
  '110M': 2,
  '350M': 1,
  '1.1B': 1,
};

/** Kinds that share a process: a model that is only read is opened once. */
const groups: Kind[][] = [['score', 'sample'], ['train']];

export async function measureAll(measuring: Measuring): Promise<void> {
  const { place, gpu, shapes, sides } = measuring;
  if (shapes.length === 0) return;
  const models = makeModels(place, shapes);
  for (const side of sides) {
    if (side === 'torch') {
      await measureTorch(measuring, models);
      continue;
    }
    const there = side === 'cpu' ? place : gpu;
    for (const shape of shapes) {
      const about = there === undefined ? 'no WebGPU here' : await models.reason(shape);
      if (there === undefined || about !== undefined) skip(place, side, shape, about ?? '');
      else await measureOurs(measuring, there, side, shape, models.folder(shape));
    }
  }
  await models.ended;
  compare(place);
}

interface Models {
  folder(shape: ShapeName): string;
  /** Waits for the model; why there is none, if so. */
  reason(shape: ShapeName): Promise<string | undefined>;
  ended: Promise<Ended>;
}

/** Begins to write the models. */
function makeModels(place: Place, shapes: ShapeName[]): Models {
  const folder = (shape: ShapeName): string =>
    shape === 'demo'
      ? join(place.pack, 'media', 'demo', 'model')
      : join(place.work, 'models', shape);
  const arrived = new Map<ShapeName, () => void>();
  const arrivals = new Map(
    shapes.map((shape) => [shape, new Promise<void>((resolve) => arrived.set(shape, resolve))]),
  );
  const request = { what: 'make', shapes, folder: join(place.work, 'models') } as const;
  const ended = runProgram(place, measureArgs(request), {
    limitSeconds: 240,
    onEvent: (event) => {
      if (event.event === 'made') arrived.get(event.shape)?.();
    },
  });
  return {
    folder,
    reason: async (shape) => {
      await Promise.race([arrivals.get(shape), ended]);
      // The configuration is written last.
      if (existsSync(join(folder(shape), 'config.json'))) return undefined;
      return `its weights could not be made: ${(await ended).tail.trim().slice(-200)}`;
    },
    ended,
  };
}

function skip({ keeper }: Place, side: Side, shape: ShapeName, about: string): void {
  for (const kind of groups.flat()) {
    keeper.addMeasurement({ shape, side, kind, state: 'skipped', about, seconds: [] });
  }
  keeper.say(`${shape} on ${side}: skipped: ${about}`);
}

/** Fewer seconds than this are not worth a start. */
const leastSeconds = 8;

async function measureOurs(
  { memory }: Measuring,
  place: Place,
  side: 'webgpu' | 'cpu',
  shape: ShapeName,
  folder: string,
): Promise<void> {
  for (const kinds of groups) {
    const writer = createWriter(place, side, memory);
    if (place.clock.left() < leastSeconds) {
      for (const kind of kinds) writer.add(shape, kind, 'skipped', 'no time was left');
      continue;
    }
    const where = { folder, provider: side };
    const timed = side === 'cpu' ? timedOnCpu[shape] : undefined;
    memory.reset();
    const request = { what: 'measure', where, shape, kinds, timed } as const;
    const ended = await runProgram(place, measureArgs(request), {
      limitSeconds: limits[shape] * kinds.length,
      onEvent: writer.read,
    });
    writer.close(kinds, [shape], ended);
  }
}

async function measureTorch({ place, shapes, memory }: Measuring, models: Models): Promise<void> {
  const wanted: object[] = [];
  for (const shape of shapes) {
    if ((await models.reason(shape)) !== undefined) continue;
    const { batch, time } = workOf[shape];
    // The vocabulary of the demo, and that of all the others.
    const rows = makeRows(shape === 'demo' ? 1024 : 32000, workOf[shape]);
    const ids = rows.map((row) => [...row.ids]);
    wanted.push({ shape, folder: models.folder(shape), ...workOf[shape], batch, time, ids });
  }
  const file = join(place.work, 'torch.json');
  writeFileSync(file, JSON.stringify({ shapes: wanted, optimizer }));
  const writer = createWriter(place, 'torch', memory);
  const script = join(place.pack, 'checks', 'torchCheck.py');
  const ended = await runChild(place.environment.CFS_PEER_PYTHON ?? 'python3', [script, file], {
    // The pack's libraries are not PyTorch's business.
    environment: process.env,
    log: place.keeper.log,
    limitSeconds: Math.min(150 * place.patience, place.clock.left()),
    onEvent: (event) => {
      if (event.event === 'versions') Object.assign(place.keeper.record.machine, event.versions);
      writer.read(event);
    },
  });
  if (writer.begun() === 0) {
    const lines = ended.tail.trim().split('\n');
    const about = `no PyTorch with CUDA: ${lines.at(-1) || ended.about}`;
    for (const shape of shapes) skip(place, 'torch', shape, about);
    return;
  }
  writer.close(groups.flat(), shapes, ended);
}

/** Writes down what a child tells of its measurements, as it tells it. */
export function createWriter(place: Pick<Place, 'keeper'>, side: Side, memory: GpuMemory) {
  const { keeper } = place;
  let current: Measurement | undefined;
  let begun = 0;
  const seen = new Set<string>();
  const say = ({ shape, kind, state, seconds, tokens, about }: Measurement): void => {
    const best = Math.min(...seconds);
    const rate =
      tokens && seconds.length > 0 ? `${(tokens / best).toFixed(0)} tokens/s at best` : '';
    keeper.say(
      `${shape} on ${side}, ${kind}: ${state}: ${[rate, about].filter(Boolean).join('; ')}`,
    );
  };
  const finish = (state: Measurement['state'], about?: string): void => {
    if (current === undefined) return;
    Object.assign(current, { state, about });
    if (side !== 'cpu') current.gpuBytes ??= memory.peakBytes();
    say(current);
    keeper.save();
    current = undefined;
  };
  const add = (shape: ShapeName, kind: Kind, state: Measurement['state'], about?: string) => {
    seen.add(`${shape} ${kind}`);
    return keeper.addMeasurement({ shape, side, kind, state, about, seconds: [] });
  };
  const read = (event: Event): void => {
    if (event.event === 'begin') {
      begun++;
      // Until it has ended, it is what it would be if it were killed now.
      current = add(event.shape, event.kind, 'stopped');
      memory.reset();
      return;
    }
    if (current === undefined) return;
    if (event.event === 'opened') {
      current.openSeconds = event.seconds;
      current.parameters = event.parameters;
    } else if (event.event === 'pass') {
      current.tokens = event.tokens;
      if (current.firstSeconds === undefined) current.firstSeconds = event.seconds;
      else {
        current.seconds.push(event.seconds);
        if (event.optimizer !== undefined) (current.optimizerSeconds ??= []).push(event.optimizer);
      }
      if (event.loss !== undefined) (current.losses ??= []).push(event.loss);
      if (event.norm !== undefined) (current.norms ??= []).push(event.norm);
    } else if (event.event === 'end') {
      current.hostBytes = event.hostBytes;
      current.gpuBytes = event.gpuBytes;
      finish(event.error === undefined ? 'passed' : 'failed', event.error?.slice(0, 500));
    }
    keeper.save();
  };
  return {
    read,
    add,
    begun: () => begun,
    /** After the child has ended: what it had begun or should have, it has not done. */
    close: (kinds: readonly Kind[], shapes: readonly ShapeName[], ended: Ended): void => {
      const state = ended.state === 'passed' ? 'failed' : ended.state;
      finish(state, ended.about);
      for (const shape of shapes) {
        for (const kind of kinds) {
          if (!seen.has(`${shape} ${kind}`)) say(add(shape, kind, state, ended.about));
        }
      }
    },
  };
}

/** Of losses and norms, relative: all sides add up in float32, in orders of their own. */
const tolerance = 5e-4;

/** The same work must give the same numbers on every side; without that, times mean nothing. */
export function compare({ keeper }: Pick<Place, 'keeper'>): void {
  const { measurements } = keeper.record;
  for (const ours of measurements.filter(({ side }) => side === 'webgpu')) {
    for (const theirs of measurements) {
      if (theirs.side === 'webgpu' || theirs.shape !== ours.shape || theirs.kind !== ours.kind) {
        continue;
      }
      const errors = (['losses', 'norms'] as const).flatMap((field) => {
        const { [field]: mine = [] } = ours;
        const { [field]: other = [] } = theirs;
        const both = Math.min(mine.length, other.length);
        return mine.slice(0, both).map((value, i) => relativeError(value ?? NaN, other[i] ?? NaN));
      });
      if (errors.length === 0) continue;
      const worst = errors.some(Number.isNaN) ? NaN : Math.max(...errors);
      keeper.addCheck({
        name: `${ours.shape}, ${ours.kind}: WebGPU beside ${theirs.side}`,
        state: worst <= tolerance ? 'passed' : 'failed',
        seconds: 0,
        about: `${errors.length} numbers differ by at most ${worst.toExponential(1)}`,
      });
    }
  }
}
