/** What is there instead of the studio in a folder that is not trusted: nothing that runs. */
import * as vscode from 'vscode';

/** An empty tree, so that the view says why and what to do (`viewsWelcome` in the manifest). */
export function registerUntrustedViews(): vscode.Disposable {
  return vscode.Disposable.from(
    vscode.window.registerTreeDataProvider('cfs.runs', {
      getChildren: () => [],
      getTreeItem: (item: vscode.TreeItem) => item,
    }),
    // A panel from before comes back empty after a reload; nobody is here to fill it.
    vscode.window.registerWebviewPanelSerializer('cfs.panel', {
      deserializeWebviewPanel: (panel) => Promise.resolve(panel.dispose()),
    }),
  );
}
