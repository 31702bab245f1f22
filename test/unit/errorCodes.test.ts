/**
 * Holds the list of error codes to the program and its tests, by reading their source: each code is
 * given by something, and some test provokes it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { errorCodes, isErrorCode, type ErrorCode } from '../../src/errorCodes.js';

const root = join(import.meta.dirname, '..', '..');

/** The codes among the string literals of a folder's TypeScript files for which `counts` holds. */
function codesIn(folder: string, counts: (literal: ts.StringLiteral) => boolean): Set<ErrorCode> {
  const codes = new Set<ErrorCode>();
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) && isErrorCode(node.text) && counts(node)) codes.add(node.text);
    ts.forEachChild(node, visit);
  };
  for (const name of readdirSync(join(root, folder), { encoding: 'utf8', recursive: true })) {
    if (!name.endsWith('.ts') || basename(name).startsWith('errorCodes')) continue;
    const text = readFileSync(join(root, folder, name), 'utf8');
    visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true));
  }
  return codes;
}

/** `code: 'X'`, or `'X'` handed to a function that makes the error; no comparison or set. */
function isGiven(literal: ts.StringLiteral): boolean {
  const { parent } = literal;
  const holder = ts.isSatisfiesExpression(parent) ? parent.parent : parent;
  if (ts.isPropertyAssignment(holder)) return holder.name.getText() === 'code';
  return ts.isCallExpression(holder) && !holder.expression.getText().endsWith('.has');
}

/** Inside an assertion or the table of a parameterised test, and no part of an error made up there. */
function isAsserted(literal: ts.StringLiteral): boolean {
  for (let node: ts.Node = literal.parent; !ts.isSourceFile(node); node = node.parent) {
    if (ts.isNewExpression(node)) return false;
    if (!ts.isCallExpression(node)) continue;
    const called = node.expression.getText();
    if (called.includes('.not.')) return false;
    if (/^(expect|assert)|^(it|test|describe)\.each$/.test(called)) return true;
  }
  return false;
}

it('lists every code once', () => {
  expect(new Set(errorCodes).size).toBe(errorCodes.length);
});

it('lists no code that nothing gives', () => {
  const given = new Set(
    ['src', 'webview-ui', 'scripts'].flatMap((folder) => [...codesIn(folder, isGiven)]),
  );
  expect(errorCodes.filter((code) => !given.has(code))).toEqual([]);
});

it('lists no code that no test provokes', () => {
  const asserted = codesIn('test', isAsserted);
  expect(errorCodes.filter((code) => !asserted.has(code))).toEqual([]);
});
