/**
 * How the processes of a benchmark get their memory. Large arrays that are freed and asked for anew
 * cost a page fault per 4 KiB; glibc can be told to keep them, as CFS Studio does where it computes, or
 * to use pages of 2 MiB. Ours and the peers are given the same, each kind in turn. Elsewhere than on
 * glibc the setting changes nothing.
 */
import { computingEnvironment } from '../../src/allocator.js';

export const allocators = {
  plain: { GLIBC_TUNABLES: '' },
  'huge pages': { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' },
  kept: { GLIBC_TUNABLES: computingEnvironment({}).GLIBC_TUNABLES ?? '' },
} as const;

export type Allocator = keyof typeof allocators;

export const allocatorNames = Object.keys(allocators) as Allocator[];
