/**
 * The GPU check itself, inside the pack: `check.sh` starts it with the pack's own Node. Cheapest checks
 * first, each result written at once; what has no time left is skipped by name. Exit code 1: something
 * that must hold does not.
 *
 *   check.mjs --pack DIR --work DIR --out DIR --began UNIX_SECONDS [--limit 480] [--shapes 15M,…]
 *             [--sides webgpu,torch,cpu] [--tests PATTERN] [--patience 1]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/errors.js';
import { createClock } from './children.js';
import { createKeeper } from './keeper.js';
import { lendLibraries, machineFacts, watchGpuMemory } from './machine.js';
import { measureAll } from './measureAll.js';
import { shapeNames, sideNames, type CheckRecord } from './record.js';
import { checkDoctor, checkJob, checkNumbers, checkPlacement, chooseDriver } from './stages.js';
import type { Place } from './stages.js';

const { values: flags } = parseArgs({
  options: {
    pack: { type: 'string', default: '.' },
    work: { type: 'string', default: '.' },
    out: { type: 'string', default: '.' },
    began: { type: 'string', default: String(Date.now() / 1000) },
    limit: { type: 'string', default: '480' },
    shapes: { type: 'string', default: '15M,110M,350M,1.1B' },
    sides: { type: 'string', default: sideNames.join(',') },
    tests: { type: 'string', default: '' },
    patience: { type: 'string', default: '1' },
  },
});

/** Seconds that are kept for ending in order. */
const reserve = 5;
const limitSeconds = Number(flags.limit);
const clock = createClock(Number(flags.began) * 1000, limitSeconds - reserve);
const record: CheckRecord = {
  format: 1,
  began: new Date(Number(flags.began) * 1000).toISOString(),
  seconds: 0,
  limitSeconds,
  finished: false,
  machine: {},
  checks: [],
  placements: [],
  measurements: [],
};
const print = (line: string): void => void process.stdout.write(line);
const work = flags.work.length > 1 ? flags.work : undefined;
const keeper = createKeeper(flags.out, clock, record, print, work);
const place: Place = {
  keeper,
  clock,
  pack: flags.pack,
  work: flags.work,
  environment: { ...process.env, HOME: process.env.HOME ?? flags.work },
  patience: Number(flags.patience),
};

function chosen<T extends string>(names: readonly T[], wanted: string): T[] {
  const list = wanted.split(',').filter((name) => name !== '');
  const unknown = list.find((name) => !(names as readonly string[]).includes(name));
  if (unknown !== undefined) throw new Error(`no ${unknown}; there are ${names.join(', ')}`);
  return names.filter((name) => list.includes(name));
}

async function check(): Promise<void> {
  const shapes = chosen(shapeNames, flags.shapes);
  const sides = chosen(sideNames, flags.sides);
  keeper.save();
  record.machine = machineFacts(flags.pack);
  keeper.say(`machine: ${Object.values(record.machine).join('; ')}`);
  mkdirSync(flags.work, { recursive: true });
  const lent = lendLibraries(flags.pack, join(flags.work, 'lib'), place.environment);
  const environment = await chooseDriver(place, lent);
  const gpu = environment && { ...place, environment };
  await checkDoctor(gpu ?? place);
  const memory = watchGpuMemory();
  try {
    if (gpu !== undefined) {
      await checkPlacement(gpu);
      await checkNumbers(gpu, flags.tests);
      await checkJob(gpu);
    }
    await measureAll({ place, gpu, memory, shapes, sides });
  } finally {
    memory.stop();
  }
}

process.once('SIGTERM', () => process.exit(3));
try {
  await check();
  record.finished = true;
} catch (error) {
  const about = messageOf(error);
  keeper.addCheck({ name: 'the check itself', state: 'failed', seconds: clock.seconds(), about });
}
keeper.save();
// What was stopped has shown nothing.
const wrong = record.checks.filter(({ state }) => state === 'failed' || state === 'stopped');
keeper.say(`${record.checks.length} checks, ${wrong.length} of them not passed`);
for (const { name, state, about } of wrong) keeper.say(`${state}: ${name}: ${about}`);
process.exit(wrong.length > 0 ? 1 : 0);
