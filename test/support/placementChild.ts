/**
 * A program of its own, as ONNX Runtime prints to its process: creates the session of a training
 * graph on WebGPU with all the words it has, among them which node was placed where.
 */
import * as ort from 'onnxruntime-node';
import { trainGraph } from '../../src/model/trainGraph.js';
import { kernelsOf } from '../../src/runtime/index.js';
import { configArchitecture } from './configArchitecture.js';
import { tinyArchitecture } from './tinyTraining.js';

const accumulate = process.argv[2] === 'accumulate';
const architecture = configArchitecture(tinyArchitecture);
const kernels = kernelsOf('webgpu');
const graph = trainGraph(architecture, { kernels, time: 32, chunks: 2, accumulate }).encode();
ort.env.logLevel = 'verbose';
await ort.InferenceSession.create(graph, {
  executionProviders: ['webgpu'],
  graphOptimizationLevel: 'all',
  logSeverityLevel: 0,
  logVerbosityLevel: 1,
});
