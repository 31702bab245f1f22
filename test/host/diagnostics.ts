/** Problems of datasets, as the editor itself holds them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import * as vscode from 'vscode';
import { eventually } from '../support/eventually.js';

const [folder] = vscode.workspace.workspaceFolders ?? [];
assert.ok(folder);
const fileOf = (name: string): vscode.Uri => vscode.Uri.joinPath(folder.uri, name);
const good = '{"prompt": "one", "completion": "two"}\n';
const broken = '{"prompt": "one", "completion": "two}\n';

const write = (uri: vscode.Uri, text: string): Thenable<void> =>
  vscode.workspace.fs.writeFile(uri, Buffer.from(text));
const problemsOf = (uri: vscode.Uri): vscode.Diagnostic[] =>
  vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'CFS');
const linesOf = (uri: vscode.Uri): number[] =>
  problemsOf(uri).map(({ range }) => range.start.line + 1);
/** Not waited for: with problems it ends only when its message has been answered. */
const fineTune = (uris: readonly vscode.Uri[]): void =>
  void vscode.commands.executeCommand('cfs.fineTuneFile', uris[0], uris);

describe('the problems of a dataset', () => {
  const first = fileOf('first.jsonl');
  const second = fileOf('second.jsonl');

  before(async () => {
    await write(first, `${good}${broken}${good}`);
    await write(second, `${broken}${good}${broken}`);
  });
  after(async () => {
    await vscode.workspace.fs.delete(first);
    await vscode.workspace.fs.delete(second);
    await vscode.commands.executeCommand('workbench.action.closeAllEditors');
  });

  it('stand at their lines, with a code and what to do', async () => {
    assert.deepEqual(problemsOf(first), []);
    fineTune([first]);
    await eventually(() => assert.deepEqual(linesOf(first), [2]));
    const [problem] = problemsOf(first);
    assert.ok(problem);
    assert.equal(problem.code, 'JSON_BROKEN');
    assert.equal(problem.severity, vscode.DiagnosticSeverity.Error);
    assert.match(problem.message, /a closing quote is missing\. Correct the line/);
    assert.equal(problem.range.start.line, problem.range.end.line);
  });

  it('vanish when the file is corrected and saved', async () => {
    const editor = await vscode.window.showTextDocument(first);
    await editor.edit((edit) => edit.replace(editor.document.lineAt(1).range, good.trim()));
    assert.equal(problemsOf(first).length, 1);
    await editor.document.save();
    await eventually(() => assert.deepEqual(problemsOf(first), []));
  });

  it('come back when another program breaks the file', async () => {
    await write(first, `${good}${good}${good}${broken}`);
    await eventually(() => assert.deepEqual(linesOf(first), [4]));
  });

  it('are found in several files at once', async () => {
    fineTune([first, second]);
    await eventually(() => assert.deepEqual(linesOf(second), [1, 3]));
    assert.deepEqual(linesOf(first), [4]);
  });

  it('go with the file', async () => {
    await vscode.workspace.fs.delete(second);
    await eventually(() => assert.deepEqual(problemsOf(second), []));
    await write(second, good);
  });
});
