/**
 * The library's interpreter with limits that are the same on every machine: steps, texts, lists and
 * depth are counted, never seconds. A step is about what evaluating a name takes; work on long texts
 * and lists counts as many steps as it takes time. What can grow a value beyond all measure in one
 * step (`replace`, `indent`, …) is looked at before: its parts are evaluated first, held, and only
 * then handed to the library.
 */
import { Interpreter, type Environment } from '@huggingface/jinja';
import { deepestProgram, isNode, JinjaLimit } from './jinjaProgram.js';
import type { JinjaNode, JinjaProgram } from './jinjaProgram.js';
import { own } from './own.js';

export type Value = ReturnType<Interpreter['evaluate']>;
type Statement = Parameters<Interpreter['evaluate']>[0];

export interface JinjaLimits {
  /** Characters of any text, the output included. */
  text: number;
  /** Items of any list. */
  items: number;
  /** Steps that are left; renderings that belong together share them. */
  budget: { left: number; all: number };
}

/** Statements and expressions inside each other, macros that call themselves included. */
const deepestEvaluation = 2 * deepestProgram;
/** Lists inside each other: the library prints them by calling itself. */
const deepestValue = 100;

interface Measure {
  /** About the characters it takes when printed, and how many values it is made of. */
  text: number;
  values: number;
  depth: number;
  /** Whether it stays like this: a namespace does not. */
  settled: boolean;
}

/** An expression that was evaluated already. */
class Held {
  readonly type = 'Held';
  constructor(readonly value: Value) {}
}

export class LimitedInterpreter extends Interpreter {
  private depth = 0;
  private readonly measures = new WeakMap<object, Measure>();

  constructor(
    environment: Environment,
    protected readonly program: JinjaProgram,
    protected readonly limits: JinjaLimits,
  ) {
    super(environment);
  }

  override evaluate(statement: Statement, environment: Environment): Value {
    if (statement instanceof Held) return statement.value;
    if (!isNode(statement)) return super.evaluate(statement, environment);
    this.spend(1);
    if (this.depth === deepestEvaluation) {
      throw new JinjaLimit(`calls or nests more than ${deepestEvaluation} levels deep`);
    }
    this.depth++;
    try {
      const value = super.evaluate(this.ready(statement, environment), environment);
      this.check(statement, value);
      return value;
    } finally {
      this.depth--;
    }
  }

  protected spend(steps: number): void {
    const { budget } = this.limits;
    budget.left -= steps;
    if (budget.left < 0) throw new JinjaLimit(`takes more than ${budget.all} steps`);
  }

  /** The node with those parts evaluated that decide how large its value will be. */
  private ready(node: JinjaNode, environment: Environment): JinjaNode {
    switch (node.type) {
      case 'Macro':
      case 'CallStatement':
        // The library searches the whole body for two names each time.
        this.spend(this.program.places.size >> 4);
        return node;
      case 'Break':
      case 'Continue':
        this.spend(20);
        return node;
      case 'BinaryExpression':
        return this.readySearch(node, environment);
      case 'CallExpression':
        return this.readyCall(node, environment);
      case 'FilterExpression':
        return this.readyFilter(node, environment);
      case 'FilterStatement': {
        const text = this.evaluate(blockOf(node['body']), environment);
        const filtered = { type: 'FilterExpression', operand: new Held(text) };
        return this.readyFilter({ ...filtered, filter: node['filter'] }, environment);
      }
      default:
        return node;
    }
  }

  private readySearch(node: JinjaNode, environment: Environment): JinjaNode {
    const sign = textOf(node['operator']);
    if (sign !== 'in' && sign !== 'not in') return node;
    const left = this.part(node['left'], environment);
    const right = this.part(node['right'], environment);
    const [part, text] = [left.value.value, right.value.value];
    if (typeof text === 'string' && typeof part === 'string') this.spendSearch(text, part);
    return { ...node, left, right };
  }

  private readyCall(node: JinjaNode, environment: Environment): JinjaNode {
    const { callee } = node;
    if (!isNode(callee) || callee.type !== 'MemberExpression') return node;
    const args = this.arguments(node['args'], environment);
    const object = this.part(callee['object'], environment);
    const computed = callee['computed'] === true;
    const property = computed ? this.part(callee['property'], environment) : callee['property'];
    const name = property instanceof Held ? property.value.value : textOf(property);
    const text = object.value.value;
    if (typeof text === 'string') this.checkTextMethod(text, name, args);
    return { ...node, callee: { ...callee, object, property }, args: args.nodes };
  }

  private checkTextMethod(text: string, name: unknown, { positional }: Arguments): void {
    const [first, second] = positional.map(({ value }) => value);
    if (name === 'replace') return this.checkReplace(text, first, second);
    if (name !== 'split') return;
    const pieces = typeof first === 'string' ? this.count(text, first) + 1 : text.length / 2 + 1;
    if (pieces > this.limits.items) throw tooManyItems(this.limits);
    this.spend(pieces);
  }

  private readyFilter(node: JinjaNode, environment: Environment): JinjaNode {
    const { filter } = node;
    const name = isNode(filter) && filter.type === 'CallExpression' ? textOf(filter['callee']) : '';
    if (!isNode(filter) || !growing.has(name)) return node;
    const operand = this.part(node['operand'], environment);
    const args = this.arguments(filter['args'], environment);
    this.checkGrowth(name, operand.value, args);
    return { ...node, operand, filter: { ...filter, args: args.nodes } };
  }

  private checkGrowth(name: string, operand: Value, { positional, named }: Arguments): void {
    const argument = (i: number, key: string): unknown =>
      (positional[i] ?? named.get(key))?.value ?? undefined;
    const text = operand.value;
    if (name === 'replace' && typeof text === 'string') {
      this.checkReplace(text, argument(0, ''), argument(1, ''));
    } else if (name === 'indent' && typeof text === 'string') {
      const width = Number(argument(0, 'width') ?? 4);
      this.checkText(text.length + (this.count(text, '\n') + 1) * Math.max(0, width));
    } else if (name === 'join') {
      const separator = lengthOf(argument(0, 'separator'));
      const { text: all, values } = this.measure(operand);
      this.checkText(all + (typeof text === 'string' ? text.length : values) * separator);
    } else if (name === 'tojson') {
      const separators = argument(-1, 'separators');
      const between: unknown[] = Array.isArray(separators) ? separators : [];
      const each = between.reduce<number>((sum, part) => sum + lengthOf(valueIn(part)), 4);
      const width = Math.abs(Number(argument(-1, 'indent') ?? 0));
      const { text: all, values, depth } = this.measure(operand);
      this.checkText(all + values * (each + (depth + 1) * width) + width);
    }
  }

  private checkReplace(text: string, from: unknown, to: unknown): void {
    if (typeof from !== 'string' || typeof to !== 'string') return;
    this.checkText(text.length + this.count(text, from) * Math.max(0, to.length - from.length));
  }

  private part(node: unknown, environment: Environment): Held {
    if (node instanceof Held) return node;
    return new Held(this.evaluate(isNode(node) ? node : undefined, environment));
  }

  /** As in the library, what has a name is evaluated after what has a position. */
  private arguments(args: unknown, environment: Environment): Arguments {
    const given = Array.isArray(args) ? args.filter(isNode) : [];
    const nodes: unknown[] = [...given];
    const result: Arguments = { nodes, positional: [], named: new Map() };
    const hold = (node: JinjaNode, i: number, field: 'argument' | 'value'): Value => {
      const held = this.part(own(node, field), environment);
      nodes[i] = { ...node, [field]: held };
      return held.value;
    };
    for (const [i, node] of given.entries()) {
      if (isNamed(node)) continue;
      if (node.type === 'SpreadExpression') {
        const { value } = hold(node, i, 'argument');
        if (Array.isArray(value)) result.positional.push(...value.slice(0, 3));
        continue;
      }
      const held = this.part(node, environment);
      nodes[i] = held;
      result.positional.push(held.value);
    }
    for (const [i, node] of given.entries()) {
      if (node.type === 'KeywordArgumentExpression') {
        result.named.set(textOf(node['key']), hold(node, i, 'value'));
      } else if (node.type === 'KeywordSpreadExpression') {
        const { value } = hold(node, i, 'argument');
        if (value instanceof Map) for (const [key, item] of value) result.named.set(key, item);
      }
    }
    return result;
  }

  /** How often `part` is in `text`, at most. */
  private count(text: string, part: string): number {
    if (part === '') return text.length + 1;
    this.spendSearch(text, part);
    let count = 0;
    for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) count++;
    return count;
  }

  /** A search skips at most 250 characters at a time, and may compare all of `part` each time. */
  private spendSearch(text: string, part: string): void {
    this.spend(Math.ceil((text.length / 256) * (1 + part.length / 256)));
  }

  private checkText(length: number): void {
    if (length > this.limits.text) throw tooLong(this.limits);
  }

  /** Looks at a value and counts the work that went into it or is done with it next. */
  private check(node: JinjaNode, value: Value | undefined): void {
    // The library's `first` of an empty list.
    if (value === undefined) return;
    const held = value.value;
    if (typeof held === 'string') {
      this.checkText(held.length);
      this.spend(held.length >> (makesText.has(node.type) ? 4 : 8));
    } else if (value.type === 'UndefinedValue' && node.type === 'Identifier') {
      // The library throws and catches an error for a name it does not know.
      this.spend(20);
    } else if (Array.isArray(held) || held instanceof Map) {
      this.spend(this.costOfUse(node, Array.isArray(held) ? held.length : held.size, value));
    }
  }

  /** Steps for what is done with a list or an object at this place. */
  private costOfUse(node: JinjaNode, items: number, value: Value): number {
    const { text, values } = this.measure(value);
    const { parent, field } = this.program.places.get(node) ?? {};
    if (parent === undefined) return items >> 6;
    switch (parent.type) {
      case 'For':
        return field === 'iterable' ? items * 8 : text >> 4;
      case 'SelectExpression':
        return items * 8;
      case 'BinaryExpression': {
        const sign = textOf(parent['operator']);
        if (sign === '~' || sign === '==' || sign === '!=') return text >> 4;
        return sign === '+' ? items >> 3 : items >> 6;
      }
      case 'FilterExpression': {
        const name = filterName(parent);
        if (constantTime.has(name)) return 0;
        if (name === 'sort' || name === 'dictsort' || name === 'tojson') {
          return (values + (text >> 4)) * (name === 'tojson' ? 1 : 1 + Math.log2(items + 1));
        }
        return name === 'join' || name === 'string' ? text >> 4 : items >> 3;
      }
      case 'MemberExpression':
        return field === 'object' && isSlice(parent) ? items >> 3 : items >> 6;
      default:
        return field !== undefined && blocks.has(field) ? text >> 4 : items >> 6;
    }
  }

  private measure(value: Value, level = 0): Measure {
    const held = value.value;
    if (typeof held === 'string') {
      return { text: held.length + 2, values: 1, depth: 0, settled: true };
    }
    if (!Array.isArray(held) && !(held instanceof Map)) return scalar;
    const known = this.measures.get(value);
    if (known !== undefined) return known;
    if (level > deepestValue) throw new JinjaLimit(`nests lists more than ${deepestValue} deep`);
    const found = { text: 2, values: 1, depth: 0, settled: value.type !== 'NamespaceValue' };
    const add = (item: Value): void => {
      const part = this.measure(item, level + 1);
      found.text += part.text + 2;
      found.values += part.values;
      found.depth = Math.max(found.depth, part.depth + 1);
      found.settled &&= part.settled;
    };
    const count = Array.isArray(held) ? held.length : held.size;
    if (count > this.limits.items) throw tooManyItems(this.limits);
    this.spend(count >> 3);
    if (Array.isArray(held)) held.forEach(add);
    else held.forEach((item, key) => ((found.text += key.length + 4), add(item)));
    this.checkText(found.text);
    if (found.depth > deepestValue) {
      throw new JinjaLimit(`nests lists more than ${deepestValue} deep`);
    }
    if (found.settled) this.measures.set(value, found);
    return found;
  }
}

interface Arguments {
  nodes: unknown[];
  positional: Value[];
  named: Map<string, Value>;
}

const scalar: Measure = { text: 24, values: 1, depth: 0, settled: true };
/** Filters with arguments whose result can be longer than what they are given. */
const growing = new Set(['replace', 'indent', 'join', 'tojson']);
const constantTime = new Set(['length', 'first', 'last', 'list', 'default']);
const makesText = new Set(['FilterExpression', 'FilterStatement', 'CallExpression']);
/** Fields whose expressions are printed. */
const blocks = new Set(['body', 'alternate', 'defaultBlock']);

/** A node that prints statements in a row. */
export function blockOf(body: unknown): JinjaNode {
  return { type: 'Program', body };
}

/** What a name, sign or literal of the program says. */
export function textOf(node: unknown): string {
  const value: unknown = typeof node === 'object' && node !== null && 'value' in node && node.value;
  return typeof value === 'string' ? value : '';
}

export function isSlice(member: JinjaNode): boolean {
  const { property } = member;
  return isNode(property) && property.type === 'SliceExpression';
}

function filterName({ filter }: JinjaNode): string {
  const named = isNode(filter) && filter.type === 'CallExpression' ? filter['callee'] : filter;
  return textOf(named);
}

function isNamed({ type }: JinjaNode): boolean {
  return type === 'KeywordArgumentExpression' || type === 'KeywordSpreadExpression';
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' ? value.length : 0;
}

function valueIn(part: unknown): unknown {
  return typeof part === 'object' && part !== null && 'value' in part ? part.value : undefined;
}

function tooLong({ text }: JinjaLimits): JinjaLimit {
  return new JinjaLimit(`makes a text of more than ${text} characters`);
}

function tooManyItems({ items }: JinjaLimits): JinjaLimit {
  return new JinjaLimit(`makes a list of more than ${items} items`);
}
