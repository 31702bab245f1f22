/**
 * Jinja templates from outside: chat templates of models, templates of datasets and of tasks. Each
 * is a program of somebody else, so all of them go through here and run within limits that grow with
 * what they are given to write: far above what a template needs, and met after seconds by one that
 * never ends. The limits count, so they strike at the same place on every machine.
 */
import { Environment, Template } from '@huggingface/jinja';
import { CfsError, type Place } from './errors.js';
import { LimitedInterpreter, type JinjaLimits } from './jinjaInterpreter.js';
import { JinjaLimit, parseProgram, type JinjaProgram } from './jinjaProgram.js';

export interface JinjaTemplate {
  program: JinjaProgram;
  /** Does `work` with the template. Throws `TEMPLATE_LIMIT` where it meets a limit. */
  within: <T>(work: () => T) => T;
}

export interface JinjaOptions {
  /** How messages call the template. */
  name: string;
  place?: Place;
  /** As chat templates are written: blocks leave no empty lines. */
  trimBlocks: boolean;
}

/** After so many rows, a template that runs into its limits is not tried on the others. */
const mostOverruns = 10;

/** Throws `TEMPLATE_LIMIT`, and the library's errors for what is not Jinja. */
export function parseJinja(text: string, options: JinjaOptions): JinjaTemplate {
  const overruns: CfsError[] = [];
  const within = <T>(work: () => T): T => {
    const last = overruns.at(-1);
    if (last !== undefined && overruns.length >= mostOverruns) throw last;
    try {
      return work();
    } catch (error) {
      if (!(error instanceof JinjaLimit)) throw error;
      const overrun = limitMet(options, error);
      overruns.push(overrun);
      throw overrun;
    }
  };
  return { program: within(() => parseProgram(text, options.trimBlocks)), within };
}

/** The text for `values`, with the functions that chat templates know. Throws `TEMPLATE_LIMIT`. */
export function renderJinja(template: JinjaTemplate, values: Record<string, unknown>): string {
  return template.within(() => renderWithin(template, values, limitsFor(sizeOf(values))));
}

/** The same within limits that it shares with others. Throws `JinjaLimit`. */
export function renderWithin(
  { program }: JinjaTemplate,
  values: Record<string, unknown>,
  limits: JinjaLimits,
): string {
  const environment = chatEnvironment(values, limits);
  return new LimitedInterpreter(environment, program, limits).run(program.root).toString();
}

/** `share`: how many renderings of the same values share the steps. */
export function limitsFor(size: number, share = 1): JinjaLimits {
  const all = share * (2_000_000 + 50 * size);
  return { text: 4_000_000 + 16 * size, items: 100_000 + 2 * size, budget: { left: all, all } };
}

/** The names that a chat template sees beside `values`, as in transformers. */
export function chatEnvironment(
  values: Record<string, unknown>,
  limits: Pick<JinjaLimits, 'items'>,
): Environment {
  const environment = new Environment();
  const globals = {
    false: false,
    true: true,
    none: null,
    raise_exception: (reason: unknown): never => {
      throw new Error(String(reason));
    },
    range: rangeWithin(limits.items),
    strftime_now: (format: unknown): string => clock.render({ format }),
    True: true,
    False: false,
    None: null,
  };
  for (const [name, value] of Object.entries(globals)) environment.set(name, value);
  for (const [name, value] of Object.entries(values)) environment.set(name, value);
  return environment;
}

/** The library keeps its function for the time to itself. */
const clock = new Template('{{ strftime_now(format) }}');

/** Python's `range`, as the library has it. */
function rangeWithin(most: number): (start: number, stop?: number, step?: number) => number[] {
  return (start, stop, step = 1) => {
    const [first, end] = stop === undefined ? [0, start] : [start, stop];
    if (step === 0) throw new Error('range() step must not be zero');
    const numbers: number[] = [];
    for (let i = first; step > 0 ? i < end : i > end; i += step) {
      if (numbers.length === most) throw new JinjaLimit(`makes a list of more than ${most} items`);
      numbers.push(i);
    }
    return numbers;
  };
}

/** Lists and objects of a row inside each other; they are converted by a function calling itself. */
const deepestRow = 100;

/** About the characters of some JSON. Throws `JinjaLimit` where it is nested too deep. */
export function sizeOf(values: unknown): number {
  let size = 0;
  const open: { value: unknown; depth: number }[] = [{ value: values, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, depth } = next;
    size += typeof value === 'string' ? value.length + 1 : 1;
    if (typeof value !== 'object' || value === null) continue;
    if (depth > deepestRow) {
      throw new JinjaLimit(`is given a row nested more than ${deepestRow} deep`);
    }
    for (const [key, item] of Object.entries(value)) {
      size += key.length;
      open.push({ value: item, depth: depth + 1 });
    }
  }
  return size;
}

function limitMet({ name, place }: JinjaOptions, limit: JinjaLimit): CfsError {
  return new CfsError({
    code: 'TEMPLATE_LIMIT',
    message: `${name} was stopped: it ${limit.message}.`,
    remedy: 'Correct the template: it repeats, nests or writes far more than this row can need.',
    place,
    cause: limit,
  });
}
