/** What the rest of the program uses of the graph room. */
export * from './dims.js';
export * from './graph.js';
export * from './cost.js';
export { differentiate } from './differentiate.js';
export * from './ops/activation.js';
export * from './ops/arithmetic.js';
export * from './ops/attention.js';
export * from './ops/crossEntropy.js';
export * from './ops/gather.js';
export * from './ops/matmul.js';
export * from './ops/normalize.js';
export * from './ops/reduce.js';
export * from './ops/rotary.js';
export * from './ops/shape.js';
export * from './ops/softmax.js';
export * from './ops/unary.js';
export { encodeIdentity } from './identity.js';
