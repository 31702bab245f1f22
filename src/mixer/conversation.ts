/**
 * A conversation through a chat template in one pass, with what the template gives for the
 * beginnings of the conversation on the way. A template loops over the messages; a beginning of the
 * conversation makes it do the same until the loop finds no further message. So just before each
 * message the state is put aside, the rest of the template is run as if this message were the last,
 * and the state is put back.
 *
 * That is exact as long as nothing the template has read until then depends on the messages that
 * follow. What it reads of the list of messages and of `loop` is therefore watched; at anything but
 * the uses listed here, watching ends, and later beginnings are left for the caller to render.
 */
import { Environment } from '@huggingface/jinja';
import { chatEnvironment, type JinjaTemplate } from '../jinja.js';
import { blockOf, isSlice, LimitedInterpreter, textOf } from '../jinjaInterpreter.js';
import type { JinjaLimits, Value } from '../jinjaInterpreter.js';
import { isNode, JinjaLimit, type JinjaNode, type NodePlace } from '../jinjaProgram.js';

type Statement = Parameters<LimitedInterpreter['evaluate']>[0];

/** A text: the first `shared` characters of the pass's own text, and then `rest`. */
export interface Rendering {
  shared: number;
  rest: string;
}

/** What the template does with a beginning: a text, or what it throws. */
export type Outcome = Rendering | { error: unknown };

export interface Pass {
  /** For all messages, as far as the template came. */
  text: string;
  /** For all messages. */
  whole: Outcome;
  /** For a beginning of `length` messages; undefined where only rendering it would tell. */
  beginning: (length: number) => Outcome | undefined;
}

/**
 * Renders `values.messages`, and on the way as many of their beginnings as can be: `wanted` has
 * their lengths. Throws `JinjaLimit`.
 */
export function renderBeginnings(
  { program }: JinjaTemplate,
  values: Record<string, unknown> & { messages: readonly unknown[] },
  wanted: ReadonlySet<number>,
  limits: JinjaLimits,
): Pass {
  const environment = chatEnvironment(values, limits);
  const pass = new BeginningsInterpreter(environment, program, limits, wanted);
  const beginning = (length: number): Outcome | undefined => pass.found.get(length);
  try {
    const text = pass.renderAll();
    return { text, whole: { shared: text.length, rest: '' }, beginning };
  } catch (error) {
    if (error instanceof JinjaLimit) throw error;
    // Beginnings that would have come so far would have failed here too.
    const from = pass.failsFrom();
    return {
      text: pass.text,
      whole: { error },
      beginning: (length) => beginning(length) ?? (length >= from ? { error } : undefined),
    };
  }
}

/** A beginning shorter than this many messages is the caller's where the template asks for one of them. */
const farthestAhead = 8;

/** What `loop` says without knowing how many messages follow the next one. */
const knownInLoop = new Set(['index', 'index0', 'first', 'last', 'previtem', 'nextitem']);

class BeginningsInterpreter extends LimitedInterpreter {
  readonly found = new Map<number, Outcome>();
  /** The output so far. */
  text = '';
  private isWatching = true;
  /** A list of all messages turned up where only some of them should be seen. */
  private hasLeaked = false;
  /** The main loop while its list is evaluated. */
  private entered: JinjaNode | undefined;
  /** The lists that hold the messages from some index on. */
  private readonly lists = new WeakMap<object, number>();
  /** What the main loop's variable `loop` was. */
  private loop: Value | undefined;
  private readonly namespaces = new Set<Value>();
  /** Expressions like `messages[…]` whose index is being evaluated, with where their list begins. */
  private readonly indexed = new Map<object, number>();
  /** The message that the main loop is at. */
  private current = -1;
  /** The shortest beginning for which everything read so far is the same. */
  private shortest = 1;
  private readonly total: number;

  constructor(
    environment: Environment,
    program: JinjaTemplate['program'],
    limits: JinjaLimits,
    private readonly wanted: ReadonlySet<number>,
  ) {
    super(environment, program, limits);
    const messages = environment.lookupVariable('messages');
    this.lists.set(messages, 0);
    this.total = Array.isArray(messages.value) ? messages.value.length : 0;
  }

  renderAll(): string {
    const { body } = this.program.root;
    for (const [i, statement] of body.entries()) {
      const items = this.isWatching ? this.mainLoop(statement) : undefined;
      if (items === undefined) this.print(statement);
      else this.runLoop(statement, items, body.slice(i + 1));
    }
    return this.text;
  }

  override evaluate(statement: Statement, environment: Environment): Value {
    const value = super.evaluate(statement, environment);
    if (!this.isWatching) {
      this.hasLeaked ||= this.lists.has(value);
      return value;
    }
    if (isNamespace(value)) this.namespaces.add(value);
    if (isNode(statement)) this.watch(statement, value);
    return value;
  }

  /** From which length on beginnings fail where the whole has failed. */
  failsFrom(): number {
    return this.isWatching ? Math.max(this.shortest, this.current + 2) : Infinity;
  }

  private print(statement: Statement): void {
    this.text += this.printed(statement, this.global);
    if (this.text.length > this.limits.text) {
      throw new JinjaLimit(`makes a text of more than ${this.limits.text} characters`);
    }
  }

  private printed(statement: Statement, environment: Environment): string {
    const block = blockOf([statement]);
    return super.evaluate(block, environment).toString();
  }

  /** The list of a loop at the top of the template that goes through the messages. */
  private mainLoop(statement: Statement): { list: Value[]; offset: number } | undefined {
    if (!isNode(statement) || statement.type !== 'For') return undefined;
    const { iterable, loopvar, body } = statement;
    if (!isNode(iterable) || !isNode(loopvar) || loopvar.type !== 'Identifier') return undefined;
    // A variable or `messages[1:]`: evaluating it once more when it is another list does no harm.
    if (iterable.type !== 'Identifier' && !isSliceOfName(iterable)) return undefined;
    if (leavesLoop(body)) return undefined;
    this.entered = statement;
    const value = this.evaluate(iterable, this.global);
    this.entered = undefined;
    const offset = this.lists.get(value);
    if (offset === undefined || !Array.isArray(value.value)) return undefined;
    return value.value.length === 0 ? undefined : { list: value.value, offset };
  }

  /** As the library runs a loop, with a look at how it would end here before each message. */
  private runLoop(
    loop: Statement,
    { list, offset }: { list: Value[]; offset: number },
    after: readonly Statement[],
  ): void {
    if (!isNode(loop)) return;
    const scope = new Environment(this.global);
    const body = blockOf(loop['body']);
    const name = textOf(loop['loopvar']);
    const enter = (i: number, count: number): void => {
      this.loop = loopValue(list, i, count);
      scope.setVariable('loop', this.loop);
      const item = list[i];
      if (item !== undefined) scope.setVariable(name, item);
    };
    for (const i of list.keys()) {
      const length = offset + i + 1;
      if (this.wanted.has(length) && length < this.total && this.canEndAt(length)) {
        this.lookAhead(length, scope, () => {
          enter(i, i + 1);
          const last = super.evaluate(body, scope).toString();
          return last + after.map((statement) => this.printed(statement, this.global)).join('');
        });
      }
      this.current = length - 1;
      enter(i, list.length);
      // The loop reads that there is a next message; the last one is the whole conversation's.
      this.text += super.evaluate(body, scope).toString();
    }
    // Whatever is read from here on is read by the whole conversation only.
    this.isWatching = false;
  }

  private canEndAt(length: number): boolean {
    return this.isWatching && length >= this.shortest;
  }

  /** Does `work` with the first `length` messages only, and leaves no trace but its result. */
  private lookAhead(length: number, scope: Environment, work: () => string): void {
    const spaces = [this.global, scope];
    const before = spaces.map(({ variables }) => variables);
    const named = [...this.namespaces].map((space) => ({ space, value: space.value }));
    const { loop, current } = this;
    this.spend(named.length);
    for (const space of spaces) space.variables = this.cut(space.variables, length);
    for (const { space, value } of named) {
      if (value instanceof Map) space.value = new Map(value);
    }
    this.isWatching = false;
    this.hasLeaked = false;
    try {
      const outcome = this.outcome(work);
      if (!this.hasLeaked) this.found.set(length, outcome);
    } finally {
      this.isWatching = true;
      spaces.forEach((space, i) => (space.variables = before[i] ?? space.variables));
      for (const { space, value } of named) space.value = value;
      Object.assign(this, { loop, current });
    }
  }

  private outcome(work: () => string): Outcome {
    try {
      return { shared: this.text.length, rest: work() };
    } catch (error) {
      if (error instanceof JinjaLimit) throw error;
      return { error };
    }
  }

  private cut(variables: ReadonlyMap<string, Value>, length: number): Map<string, Value> {
    const made = new Map(variables);
    for (const [name, value] of variables) {
      const offset = this.lists.get(value);
      if (offset === undefined || !Array.isArray(value.value)) continue;
      const list = runtimeValue([]);
      list.value = value.value.slice(0, length - offset);
      made.set(name, list);
    }
    return made;
  }

  private watch(node: JinjaNode, value: Value): void {
    const place = this.program.places.get(node);
    if (place === undefined) return;
    const sliced = this.indexed.get(node);
    if (sliced !== undefined) {
      this.indexed.delete(node);
      if (isSlice(node)) this.lists.set(value, sliced + sliceStart(node));
    }
    const { parent, field } = place;
    const indexed = field === 'property' ? this.indexed.get(parent) : undefined;
    if (indexed !== undefined) this.readItem(value.value, indexed);
    const offset = this.lists.get(value);
    if (offset !== undefined && !this.isKnownUse(place, offset)) this.isWatching = false;
    if (value === this.loop && !isKnownInLoop(place)) this.isWatching = false;
  }

  /** Whether a list of messages may be used here; what is read of it is noted. */
  private isKnownUse({ parent, field }: NodePlace, offset: number): boolean {
    switch (parent.type) {
      case 'MemberExpression':
        return field === 'object' && this.isKnownMember(parent, offset);
      case 'Set': {
        const { assignee } = parent;
        return field === 'value' && isNode(assignee) && assignee.type === 'Identifier';
      }
      case 'TestExpression':
        // Tests ask for its type only.
        return true;
      case 'If':
        return field === 'test' && this.readItem(0, offset);
      case 'Ternary':
        return field !== 'condition' || this.readItem(0, offset);
      case 'UnaryExpression':
        return this.readItem(0, offset);
      case 'BinaryExpression': {
        const sign = textOf(parent['operator']);
        return (sign === 'and' || sign === 'or') && this.readItem(0, offset);
      }
      case 'For':
        // Any other loop would go on to the end.
        return parent === this.entered;
      default:
        return false;
    }
  }

  private isKnownMember(member: JinjaNode, offset: number): boolean {
    const { property } = member;
    if (!isNode(property)) return false;
    if (isSlice(member)) {
      if (sliceStart(member) < 0) return false;
      this.indexed.set(member, offset);
      return true;
    }
    if (member['computed'] !== true) {
      return property.type === 'IntegerLiteral' && this.readItem(property['value'], offset);
    }
    if (!isPlainIndex(property)) return false;
    this.indexed.set(member, offset);
    return true;
  }

  /**
   * Notes that a message was read: one up to the message after the current one is there in every
   * beginning that goes on from here. False, and the end of watching, for others.
   */
  private readItem(index: unknown, offset: number): boolean {
    const isAhead =
      typeof index !== 'number' ||
      index < 0 ||
      (offset + index > this.current + 1 && offset + index >= farthestAhead);
    if (isAhead) this.isWatching = false;
    else this.shortest = Math.max(this.shortest, offset + index + 1);
    return !isAhead;
  }
}

function isKnownInLoop({ parent, field }: NodePlace): boolean {
  if (parent.type !== 'MemberExpression' || field !== 'object') return false;
  const { property, computed } = parent;
  if (computed === true && !(isNode(property) && property.type === 'StringLiteral')) return false;
  return knownInLoop.has(textOf(property));
}

/** The `n` of `list[n:]`; −1 for another slice. */
function sliceStart(member: JinjaNode): number {
  const { property } = member;
  if (!isNode(property)) return -1;
  const { start, stop, step } = property;
  const isPlain = isNode(start) && start.type === 'IntegerLiteral' && !stop && !step;
  return isPlain ? Number(start['value']) : -1;
}

function isSliceOfName(node: JinjaNode): boolean {
  const { object } = node;
  return isSlice(node) && sliceStart(node) >= 0 && isNode(object) && object.type === 'Identifier';
}

/** An index whose evaluation calls nothing, so that no other index is evaluated meanwhile. */
function isPlainIndex(node: unknown): boolean {
  if (!isNode(node)) return false;
  const { type } = node;
  if (type === 'IntegerLiteral' || type === 'Identifier') return true;
  if (type === 'MemberExpression') return node['computed'] !== true && isPlainIndex(node['object']);
  return type === 'BinaryExpression' && isPlainIndex(node['left']) && isPlainIndex(node['right']);
}

function leavesLoop(body: unknown): boolean {
  if (Array.isArray(body)) return body.some(leavesLoop);
  if (!isNode(body)) return false;
  if (body.type === 'Break' || body.type === 'Continue') return true;
  return Object.values(body).some((part) => typeof part === 'object' && leavesLoop(part));
}

function loopValue(list: readonly Value[], i: number, count: number): Value {
  const loop = runtimeValue({
    index: i + 1,
    index0: i,
    revindex: count - i,
    revindex0: count - i - 1,
    first: i === 0,
    last: i === count - 1,
    length: count,
  });
  const fields = loop.value;
  if (fields instanceof Map) {
    fields.set('previtem', list[i - 1] ?? runtimeValue(undefined));
    fields.set('nextitem', (i + 1 < count ? list[i + 1] : undefined) ?? runtimeValue(undefined));
  }
  return loop;
}

/** The library's `first` of an empty list is no value at all. */
function isNamespace(value: Value | undefined): boolean {
  return value?.type === 'NamespaceValue';
}

/** The library makes its values in an environment only. */
function runtimeValue(value: unknown): Value {
  return new Environment().set('value', value);
}
