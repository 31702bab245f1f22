/**
 * A program of its own, so that the highest memory of its process is that of one graph: runs a step
 * of a stack of blocks and prints the process's peak, what it held before the run, what the graph's
 * cost says, and a hash of the gradients. Argument: `kept` or `recomputed`.
 */
import { createHash } from 'node:crypto';
import { residentBytes } from '../../bench/support/memory.js';
import { planCost } from '../../src/graph/index.js';
import { floats, kernelsOf, openDevice } from '../../src/runtime/index.js';
import { kept, recomputed, stackFeeds, stackGraph } from './blockStack.js';

const shape = { layers: 12, lines: 4, time: 256, hidden: 64, heads: 4, inner: 1536 };
const wrap = process.argv[2] === 'recomputed' ? recomputed : kept;
const device = await openDevice({ name: 'cpu', threads: 2 });
const graph = stackGraph(kernelsOf('cpu'), shape, wrap);
const session = await device.session(graph.encode());
const feeds = stackFeeds(shape, 3);
const beforeBytes = residentBytes('VmRSS');
const outputs = await session.run(feeds);
const hash = createHash('sha256');
for (const name of Object.keys(outputs).sort()) hash.update(floats(outputs[name]));
const plannedBytes = planCost(graph)({}).peakBytes;
const peakBytes = residentBytes('VmHWM');
console.log(JSON.stringify({ beforeBytes, peakBytes, plannedBytes, hash: hash.digest('hex') }));
