import type { Rule } from 'eslint';

export const outsideNames: Rule.RuleModule;
