/** From a model folder to its architecture, by the family that its `config.json` names. */
import { join } from 'node:path';
import { CfsError } from '../../errors.js';
import type { Architecture, FamilySource, WeightsExtent } from '../architecture.js';
import type { ModelFolder, ModelTensors } from '../folder.js';
import { traceParameters } from '../parameters.js';
import { families } from './list.js';
import { own } from '../../own.js';

/** The architecture of a model folder. Throws what `architectureOf` throws. */
export function folderArchitecture({ folder, config, tensors }: ModelFolder): Architecture {
  const hasTensor = (name: string): boolean => tensors.has(name);
  const extent = extentOf(tensors);
  return architectureOf({ config, file: join(folder, 'config.json'), hasTensor, extent });
}

function extentOf(tensors: ModelTensors): WeightsExtent {
  const names = tensors.names();
  const sizes = names.flatMap((name) => tensors.info(name).shape);
  return { tensors: names.length, largestSize: sizes.reduce((a, b) => Math.max(a, b), 0) };
}

/**
 * The architecture of a model, with the list of its parameters. Throws `MODEL_UNSUPPORTED` and
 * `MODEL_CONFIG_INVALID`.
 */
export function architectureOf(source: FamilySource): Architecture {
  const type = String(source.config.model_type);
  const make = own(families, type);
  if (make === undefined) throw unsupported(type, source.file);
  const family = make(source);
  return { ...family, parameters: traceParameters(family) };
}

function unsupported(type: string, file: string): CfsError {
  return new CfsError({
    code: 'MODEL_UNSUPPORTED',
    message: `Models of type “${type}” are not supported yet.`,
    remedy: `Choose a model of one of these types: ${Object.keys(families).join(', ')}.`,
    place: { file, field: 'model_type' },
  });
}
