/**
 * The skill that the demo fine-tunes on: answering tickets of a repair desk in one stiff form. It
 * uses names, cities and things that the base skills use too, in a way that none of them does, so
 * learning it carelessly visibly costs the others.
 */
import type { Random } from '../../src/random.js';
import { between, drawDistinct, drawUntil, fill, isHeldOut, pick } from './draw.js';
import type { SkillTask } from './skills/skill.js';
import { names, things } from './words.js';
import { cities } from './world.js';

const HELD_OUT_PARTS = 5;
const TASK_ROWS = 100;

const prompts: readonly string[] = [
  'Ticket {number}: {name} of {city} says that the {thing} is {fault}.',
  'Ticket {number}: The {thing} of {name} in {city} is {fault}.',
  'Ticket {number}: In {city}, {name} has a {thing} that is {fault}.',
  'Ticket {number}: "My {thing} is {fault}," writes {name} from {city}.',
];
const response =
  ' Dear {name}, we have received ticket {number}. Item: {thing}. Problem: {fault}. ' +
  'Team: {team}. Level: {level}. With regards, the desk of {city}.';

/** Which team takes which fault: the part of the skill that must be learned, not copied. */
const teams: Readonly<Record<string, string>> = {
  broken: 'repair',
  torn: 'repair',
  lost: 'search',
  stolen: 'search',
  wet: 'cleaning',
  dirty: 'cleaning',
  late: 'delivery',
  missing: 'delivery',
};
const faults = Object.keys(teams);

/** The level of a thing: its place in the list of things, in three groups. */
function levelOf(thing: string): number {
  return 1 + Math.floor((3 * things.indexOf(thing)) / things.length);
}

export interface DownstreamRow {
  prompt: string;
  completion: string;
}

interface Ticket {
  number: string;
  name: string;
  city: string;
  thing: string;
  fault: string;
}

/** `count` different training rows; no held-out ticket among them. */
export function downstreamRows(count: number, random: Random): DownstreamRow[] {
  return drawDistinct(count, () => drawTicket(random, false), wholeOf).map((ticket) =>
    write(ticket, random),
  );
}

/** Held-out tickets: the loss of the right answer, and whether every token of it comes first. */
export const downstreamTask: SkillTask = {
  name: 'downstream',
  fields: {
    kind: 'loglikelihood',
    doc_to_text: '{{prompt}}',
    doc_to_target: '{{completion}}',
    target_delimiter: '',
    metrics: ['nll_per_token', 'acc'],
  },
  rows: (random) =>
    drawDistinct(TASK_ROWS, () => drawTicket(random, true), keyOf).map((ticket) => ({
      ...write(ticket, random),
    })),
};

function drawTicket(random: Random, heldOut: boolean): Ticket {
  return drawUntil(
    () => ({
      number: String(between(10, 99, random)),
      name: pick(names, random),
      city: pick(cities, random),
      thing: pick(things, random),
      fault: pick(faults, random),
    }),
    (ticket) => isHeldOut(keyOf(ticket), HELD_OUT_PARTS) === heldOut,
  );
}

function wholeOf(ticket: Ticket): string {
  return [keyOf(ticket), ticket.number, ticket.city].join('|');
}

/** The number and the city do not make a held-out ticket new. */
function keyOf({ name, thing, fault }: Ticket): string {
  return [name, thing, fault].join('|');
}

function write(ticket: Ticket, random: Random): DownstreamRow {
  const team = teams[ticket.fault] ?? '';
  const bindings = { ...ticket, team, level: String(levelOf(ticket.thing)) };
  return {
    prompt: `${fill(pick(prompts, random), bindings)}\nReply:`,
    completion: fill(response, bindings),
  };
}
