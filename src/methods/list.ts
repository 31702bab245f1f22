/** The methods there are, in the order in which people see them. */
import { cfs } from './cfs.js';
import type { Method } from './method.js';
import { sft } from './sft.js';

export const methods: readonly Method[] = [sft, cfs];
