/**
 * The `doc_to_…` fields of a task. Each is either the bare name of a field or a Jinja template over
 * the item's fields, as in lm-evaluation-harness. A name that the item does not have is an error
 * there and here: a misspelt field must not silently become an empty prompt.
 */
import { Environment } from '@huggingface/jinja';
import { z } from 'zod';
import { CfsError, messageOf } from '../errors.js';
import { limitsFor, parseJinja, sizeOf, type JinjaTemplate } from '../jinja.js';
import { LimitedInterpreter, type Value } from '../jinjaInterpreter.js';
import { parseJsonIfAny } from '../json.js';
import type { Document } from './documents.js';
import { own } from '../own.js';

type Statement = Parameters<LimitedInterpreter['evaluate']>[0];

const texts = z.array(z.union([z.string(), z.number().transform(String)]));

/** The text of a field name or template. Throws `TASK_TEMPLATE_FAILED`, `TEMPLATE_LIMIT`. */
export function renderText(template: string, document: Document, field: string): string {
  if (!Object.hasOwn(document, template)) return render(template, document, field);
  const value = own(document, template);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw failed(field, `the field "${template}" holds no text`);
}

/** A list of texts: a field that holds one, or a template that writes one (`{{ [a, b] }}`). */
export function renderList(template: string, document: Document, field: string): string[] {
  const value = Object.hasOwn(document, template)
    ? own(document, template)
    : parseJsonIfAny(render(template, document, field));
  const parsed = texts.safeParse(value);
  if (parsed.success && parsed.data.length > 0) return parsed.data;
  throw failed(field, 'it does not give a list of texts');
}

/**
 * The index of the right choice. A number in a field is an index; a field's text is looked up among
 * the choices first; digits that a template writes are an index.
 */
export function renderChoiceIndex(
  target: string | number,
  document: Document,
  choices: readonly string[],
  field: string,
): number {
  const value = rawTarget(target, document, field);
  const named = choices.indexOf(String(value));
  const isField = typeof target === 'string' && Object.hasOwn(document, target);
  const asIndex = /^\d+$/.test(String(value)) ? Number(value) : undefined;
  const preferName = isField && typeof value === 'string' && named >= 0;
  const index = preferName ? named : (asIndex ?? named);
  if (index >= 0 && index < choices.length) return index;
  throw failed(field, `"${String(value)}" is neither one of the choices nor an index into them`);
}

function rawTarget(target: string | number, document: Document, field: string): string | number {
  if (typeof target === 'number') return target;
  const value = own(document, target);
  if (typeof value === 'number') return value;
  return renderText(target, document, field);
}

/** As in Python's Jinja, where they are words of the language. */
const constants = Object.entries({ true: true, false: false, none: null });

const templates = new Map<string, JinjaTemplate>();

function render(template: string, document: Document, field: string): string {
  try {
    const { program, within } = parsed(template, field);
    return within(() => {
      const limits = limitsFor(sizeOf(document));
      const environment = new Environment();
      for (const [name, value] of [...Object.entries(document), ...constants]) {
        // A field may be called `namespace`, which is there already, or like a constant.
        environment.variables.delete(name);
        environment.set(name, value);
      }
      return new StrictInterpreter(environment, program, limits).run(program.root).toString();
    });
  } catch (error) {
    throw error instanceof CfsError ? error : failed(field, messageOf(error), error);
  }
}

/** Parsed without the block trimming of chat templates, and with a final newline kept. */
function parsed(template: string, field: string): JinjaTemplate {
  const key = `${field}:${template}`;
  const known = templates.get(key);
  if (known !== undefined) return known;
  // The lexer drops one final newline.
  const text = template.endsWith('\n') ? `${template}\n` : template;
  const made = parseJinja(text, {
    name: `The template ${field}`,
    place: { field },
    trimBlocks: false,
  });
  templates.set(key, made);
  return made;
}

/** Jinja with `StrictUndefined`: a missing name or field throws, except in a test (`is defined`). */
class StrictInterpreter extends LimitedInterpreter {
  private testDepth = 0;

  override evaluate(statement: Statement, environment: Environment): Value {
    if (statement?.type === 'TestExpression') {
      this.testDepth++;
      try {
        return super.evaluate(statement, environment);
      } finally {
        this.testDepth--;
      }
    }
    const value = super.evaluate(statement, environment);
    const isName = statement?.type === 'Identifier' || statement?.type === 'MemberExpression';
    if (isName && value.type === 'UndefinedValue' && this.testDepth === 0) {
      throw new Error(`${nameOf(statement)} is missing in the item`);
    }
    return value;
  }
}

function nameOf(statement: Statement): string {
  const part = z.object({ value: z.string() }).safeParse(statement);
  if (part.success) return `"${part.data.value}"`;
  const member = z.object({ property: z.object({ value: z.unknown() }) }).safeParse(statement);
  return member.success ? `"${String(member.data.property.value)}"` : 'a field';
}

function failed(field: string, reason: string, cause?: unknown): CfsError {
  return new CfsError({
    code: 'TASK_TEMPLATE_FAILED',
    message: `${field} cannot be applied to an item: ${reason}.`,
    remedy: 'Compare the template with the fields of the data.',
    place: { field },
    cause,
  });
}
