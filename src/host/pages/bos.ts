/** Asks which BOS token the samples are to be generated from. */
import type * as vscode from 'vscode';
import type { ModelFacts } from '../../protocol/preview.js';
import { openPicker } from '../ui.js';
import { parseBos, bosChoices } from './bosChoices.js';

interface TokenItem extends vscode.QuickPickItem {
  token: number | string;
}

/** The id of a token, or its text as it was typed; undefined when the question was dismissed. */
export function pickBos(
  bos: ModelFacts['bos'],
  betterTokenId: number | undefined,
): Promise<number | string | undefined> {
  const items = bosChoices(bos, betterTokenId).map(({ id, token, about, detail }): TokenItem => ({
    label: token,
    description: `${id}${about === undefined ? '' : ` · ${about}`}`,
    detail,
    token: id,
  }));
  const { picker: pick, setItems } = openPicker<TokenItem>();
  pick.title = 'BOS Token for the Samples';
  pick.placeholder = 'Choose a token, or type its text or id';
  pick.matchOnDescription = true;
  setItems(items);
  pick.onDidChangeValue((value) => {
    const typed = parseBos(value);
    const isListed = items.some(({ label, token }) => label === typed || token === typed);
    const own: TokenItem[] =
      typed === undefined || isListed
        ? []
        : [{ label: `Use “${typed}”`, alwaysShow: true, token: typed }];
    setItems([...items, ...own]);
  });
  return new Promise((resolve) => {
    pick.onDidAccept(() => {
      resolve(pick.selectedItems[0]?.token);
      pick.hide();
    });
    pick.onDidHide(() => {
      resolve(undefined);
      pick.dispose();
    });
    pick.show();
  });
}
