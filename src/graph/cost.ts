/**
 * What a graph costs before it runs: its arithmetic, the memory it walks through, and the memory it
 * needs at the highest moment. Read off the nodes and their shapes, so that it holds for every
 * architecture without a formula for each.
 */
import type { Dim, Shape } from './dims.js';
import { elementBytes } from './elements.js';
import { readBy, type Graph, type Node } from './graph.js';
import { own } from '../own.js';

export interface GraphCost {
  /** Floating-point operations of the matrix products. */
  flops: number;
  /** Bytes read and written by all other nodes, which are bound by memory. */
  movedBytes: number;
  /** Bytes of what nodes made, at the highest moment; inputs, initializers and outputs not counted. */
  peakBytes: number;
  /** Nodes that run. */
  nodes: number;
}

/** The nodes of a graph in the order in which they run, which the costs of a graph hang on. */
interface Plan {
  order: Node[];
  /** Where in `order` each name is read for the last time. */
  lastUse: Map<string, number>;
  /** Nodes that only give an output its name, and do not run. */
  renamed: Node[];
}

/** `sizes` are the numbers behind the symbolic sizes of the graph's inputs, by name. */
export type Sizes = Readonly<Record<string, number>>;

/** A function from sizes to costs; what does not depend on sizes is done once. */
export function planCost(graph: Graph): (sizes: Sizes) => GraphCost {
  const plan = planOf(graph);
  const kept = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  for (const { input } of plan.renamed) input.forEach((name) => kept.add(name));
  return (sizes) => {
    const bytes = (name: string): number => {
      const value = graph.values.get(name);
      return value === undefined ? 0 : elements(value.shape, sizes) * elementBytes[value.type];
    };
    const live = new Map<string, number>();
    let [flops, movedBytes, held, peakBytes] = [0, 0, 0, 0];
    plan.order.forEach((node, at) => {
      flops += productFlops(graph, node, sizes);
      const isProduct = products.has(node.opType);
      for (const name of isProduct || views.has(node.opType) ? [] : [...node.input, ...node.output])
        movedBytes += bytes(name);
      const dying = node.input.filter((name) => live.has(name) && plan.lastUse.get(name) === at);
      const free = (name: string): void => {
        held -= live.get(name) ?? 0;
        live.delete(name);
      };
      for (const name of node.output) {
        if (kept.has(name)) continue;
        const size = bytes(name);
        // A node that only changes elements writes into an input that nobody reads any more.
        const reused = isProduct ? undefined : dying.find((input) => live.get(input) === size);
        if (reused !== undefined) free(reused);
        live.set(name, size);
        held += size;
      }
      peakBytes = Math.max(peakBytes, held);
      for (const name of [...dying, ...node.output]) {
        if ((plan.lastUse.get(name) ?? -1) <= at) free(name);
      }
    });
    return { flops, movedBytes, peakBytes, nodes: plan.order.length };
  };
}

const products = new Set(['Gemm', 'MatMul', 'FusedMatMul']);
/** The same bytes under another shape or name. */
const views = new Set(['Reshape', 'Identity']);

/** 2 operations for each element of the result and of the axis that is summed over. */
function productFlops(graph: Graph, node: Node, sizes: Sizes): number {
  if (!products.has(node.opType)) return 0;
  const [first = ''] = node.input;
  const [made = ''] = node.output;
  const shape = graph.values.get(first)?.shape ?? [];
  const summed = shape.at(node.attributes.transA === 1 ? -2 : -1) ?? 1;
  return 2 * elements(graph.values.get(made)?.shape ?? [], sizes) * sizeOf(summed, sizes);
}

/**
 * ONNX Runtime's own order: depth first from what nobody reads backwards, later nodes first
 * (`Graph::ReverseDFSFrom` with `NodeCompare`). Before that, what an output alone reads has got the
 * output's name (`EliminateIdentity`).
 */
function planOf(graph: Graph): Plan {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const needed = graph.neededNodes();
  const readers = new Map<string, number>();
  for (const name of needed.flatMap(readBy)) readers.set(name, (readers.get(name) ?? 0) + 1);
  const isName = ({ opType, input: [from = ''], output: [to = ''] }: Node): boolean =>
    opType === 'Identity' && outputs.has(to) && readers.get(from) === 1;
  const nodes = needed.filter((node) => !isName(node));
  const makers = new Map(nodes.flatMap((node) => node.output.map((name) => [name, node])));
  const numbers = new Map(nodes.map((node, i) => [node, i]));
  const read = new Set(nodes.flatMap(readBy));
  const order: Node[] = [];
  const seen = new Set<Node>();
  const waiting: { node: Node; leave: boolean }[] = nodes
    .filter(({ output }) => !output.some((name) => read.has(name)))
    .map((node) => ({ node, leave: false }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, leave } = next;
    if (leave) order.push(node);
    if (leave || seen.has(node)) continue;
    seen.add(node);
    waiting.push({ node, leave: true });
    const before = readBy(node).flatMap((name) => makers.get(name) ?? []);
    before.sort((a, b) => (numbers.get(a) ?? 0) - (numbers.get(b) ?? 0));
    for (const one of before) waiting.push({ node: one, leave: false });
  }
  const lastUse = new Map<string, number>();
  order.forEach((node, at) => readBy(node).forEach((name) => lastUse.set(name, at)));
  return { order, lastUse, renamed: needed.filter(isName) };
}

function elements(shape: Shape, sizes: Sizes): number {
  return shape.reduce<number>((product, dim) => product * sizeOf(dim, sizes), 1);
}

/** A size as a number; a symbol that is not given is a bug of the caller. */
function sizeOf(dim: Dim, sizes: Sizes): number {
  if (typeof dim === 'number') return dim;
  const star = dim.indexOf('*');
  const size = own(sizes, dim.slice(star + 1));
  if (size === undefined) throw new Error(`Internal error: no size ${dim}`);
  return (star < 0 ? 1 : Number(dim.slice(0, star))) * size;
}
