/** The lint rules of our own: what they refuse, and what they let pass. */
import { Linter } from 'eslint';
import tseslint from 'typescript-eslint';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { outsideNames } from '../../scripts/lint/outsideNames.js';
import { raw, restricted } from '../../scripts/lint/rawCalls.js';

/** The problems of `code` as `[line, message]`; types are those that it declares itself. */
function problemsOf(code: string): number[] {
  const file = 'linted.ts';
  const source = ts.createSourceFile(file, code, ts.ScriptTarget.ESNext, true);
  const program = ts.createProgram(
    [file],
    { noLib: true, strict: true, types: [] },
    {
      ...ts.createCompilerHost({}),
      getSourceFile: (name) => (name === file ? source : undefined),
    },
  );
  const linter = new Linter({ configType: 'flat' });
  const problems = linter.verify(
    code,
    [
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser, parserOptions: { programs: [program] } },
        plugins: { cfs: { rules: { 'outside-names': outsideNames } } },
        rules: { 'cfs/outside-names': 'error' },
      },
    ],
    file,
  );
  expect(problems.filter(({ ruleId }) => ruleId !== 'cfs/outside-names')).toEqual([]);
  return problems.map(({ line }) => line);
}

describe('cfs/outside-names', () => {
  const declared = [
    'declare const record: { [name: string]: number };',
    'declare const text: string;',
    'declare const known: "a" | "b";',
    'declare const index: number;',
  ].join(' ');

  it.each([
    'record[text]',
    'record[text] = 1',
    'delete record[text]',
    'text in record',
    'record[text + index]',
    'record[`${text}.a`]',
    'record[`to${text}`]',
    'function f<T extends string>(name: T) { return record[name]; }',
  ])('refuses %s', (code) => {
    expect(problemsOf(`${declared}\n${code};`)).toEqual([2]);
  });

  it.each(['record[known]', 'record["a"]', '[1][index]', 'record[`loss${text}`]', '"a" in record'])(
    'lets %s pass',
    (code) => {
      expect(problemsOf(`${declared}\n${code};`)).toEqual([]);
    },
  );
});

describe('raw calls', () => {
  const count = (code: string): number => {
    const rules = { 'no-restricted-syntax': restricted(raw.editor, raw.terminal, raw.html) };
    return new Linter({ configType: 'flat' }).verify(code, [{ rules }]).length;
  };

  it.each([
    'vscode.window.showErrorMessage(text)',
    'const { showInformationMessage } = vscode.window',
    'vscode.window.withProgress(options, work)',
    'new vscode.TreeItem(text)',
    'new vscode.MarkdownString(text)',
    'process.stdout.write(text)',
    'element.innerHTML = text',
    'element.insertAdjacentHTML("beforeend", text)',
    'panel.webview.html = text',
    'document.write(text)',
    'const { unsafeHTML } = lit',
  ])('refuses %s', (code) => {
    expect(count(code)).toBeGreaterThan(0);
  });

  it.each(['showInfo(text)', 'io.out(text)', 'element.textContent = text', 'html`${text}`'])(
    'lets %s pass',
    (code) => {
      expect(count(code)).toBe(0);
    },
  );
});
