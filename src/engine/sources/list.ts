/** The kinds of rows that the engine can make. */
import { contextFree } from './contextFree.js';
import { dataset } from './dataset.js';
import type { SourceKind } from './source.js';

export const sourceKinds: readonly SourceKind[] = [dataset, contextFree];
