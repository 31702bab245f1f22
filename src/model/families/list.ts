/** The model families by the `model_type` of their `config.json`: a family is added here. */
import type { Family, FamilySource } from '../architecture.js';
import { llama } from './llama.js';

export const families: Record<string, (source: FamilySource) => Family> = { llama };
