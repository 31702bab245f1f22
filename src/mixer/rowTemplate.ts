/**
 * A user's own Jinja template for the prompt or the response. Jinja prints nothing for a name it
 * does not know, which would train on prompts with holes, so the names are checked against the
 * columns first.
 */
import { CfsError, messageOf } from '../errors.js';
import { parseJinja, renderJinja, type JinjaTemplate } from '../jinja.js';

export interface RowTemplate {
  /** Columns it prints. */
  required: string[];
  /** Columns it only asks about in a condition, so that a row may lack them. */
  optional: string[];
  /** Throws `TEMPLATE_FAILED`, `TEMPLATE_LIMIT`. */
  render(values: Record<string, unknown>): string;
}

/** Words of Jinja: no column reaches them. */
const constants = new Set(['true', 'false', 'none', 'True', 'False', 'None']);
/** Where they are called, Jinja's functions are meant; elsewhere a column of that name. */
const functions = new Set(['range', 'namespace', 'raise_exception', 'strftime_now']);
/** No name of a template contains it: under `:range` a column is no rival of the function. */
const apart = ':';

/** `field` is the setting that holds the template, for messages. Throws `TEMPLATE_BROKEN`, `TEMPLATE_LIMIT`. */
export function compileRowTemplate(text: string, field: string): RowTemplate {
  const template = compile(text, field);
  const names = namesOf(template.program.root);
  const printed = [...names.all].filter((name) => !names.local.has(name));
  return {
    required: printed.filter((name) => !names.tested.has(name)),
    optional: printed.filter((name) => names.tested.has(name)),
    render: (values) => {
      try {
        const named = Object.entries(values).map(([name, value]) => [boundName(name), value]);
        return renderJinja(template, Object.fromEntries(named) as Record<string, unknown>);
      } catch (cause) {
        if (cause instanceof CfsError) throw cause;
        throw new CfsError({
          code: 'TEMPLATE_FAILED',
          message: `The template fails on this row: ${messageOf(cause)}`,
          remedy: 'Correct the row or the template.',
          place: { field },
          cause,
        });
      }
    },
  };
}

function compile(text: string, field: string): JinjaTemplate {
  try {
    return parseJinja(text, { name: 'The template', place: { field }, trimBlocks: true });
  } catch (cause) {
    if (cause instanceof CfsError) throw cause;
    throw new CfsError({
      code: 'TEMPLATE_BROKEN',
      message: `The template is not valid Jinja: ${messageOf(cause)}`,
      remedy: 'Correct the template, for example "Question: {{ question }}".',
      place: { field },
      cause,
    });
  }
}

/**
 * Names that occur anywhere, in conditions, and those the template itself gives a value. Those that
 * Jinja has functions for are renamed in the program, so that it finds the column.
 */
function namesOf(program: unknown) {
  const names = { all: new Set<string>(), tested: new Set<string>(), local: new Set(constants) };
  const walk = (node: unknown, into: Set<string>, inLoop = false): void => {
    if (Array.isArray(node)) return node.forEach((item) => walk(item, into, inLoop));
    if (typeof node !== 'object' || node === null) return;
    const { type, value } = node as { type?: unknown; value?: unknown };
    if (type === 'Identifier' && typeof value === 'string') {
      // Inside a loop, Jinja's own variable.
      if (value === 'loop' && inLoop) return;
      const name = value.replace(apart, '');
      into.add(name);
      Object.assign(node, { value: boundName(name) });
      return;
    }
    for (const [key, child] of Object.entries(node)) {
      if (isMere(node, key)) continue;
      const within = inLoop || (type === 'For' && key === 'body');
      walk(child, into, within);
      if ((key === 'test' || key === 'condition') && type !== 'TestExpression')
        walk(child, names.tested, within);
      if (key === 'loopvar' || key === 'assignee') walk(child, names.local, within);
    }
  };
  walk(program, names.all);
  return names;
}

function boundName(name: string): string {
  return functions.has(name) ? apart + name : name;
}

/** Places where an identifier is a word of the language, not the name of a value. */
function isMere(node: object, key: string): boolean {
  const { type, computed } = node as { type?: unknown; computed?: unknown };
  return (
    (type === 'CallExpression' && key === 'callee' && isFunction(node)) ||
    (type === 'MemberExpression' && key === 'property' && computed !== true) ||
    (type === 'FilterExpression' && key === 'filter') ||
    (type === 'TestExpression' && key === 'test') ||
    (type === 'KeywordArgumentExpression' && key === 'key')
  );
}

function isFunction(call: object): boolean {
  const { callee } = call as { callee?: { type?: unknown; value?: unknown } };
  return callee?.type === 'Identifier' && functions.has(String(callee.value));
}
