import type { Linter } from 'eslint';

type Selector = readonly [selector: string, message: string];

export const raw: Readonly<Record<'editor' | 'terminal' | 'html', readonly Selector[]>>;
export function restricted(...lists: (readonly Selector[])[]): Linter.RuleEntry;
