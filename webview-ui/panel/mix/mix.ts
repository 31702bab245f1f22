/** The Mix page. */
import { html } from 'lit-html';
import type { PageContext, PanelPage } from '../page.js';

export function createMixPage(context: PageContext): PanelPage {
  return {
    update: () => undefined,
    render: () => html`<p>${context.runs().length} runs</p>`,
    listeners: {},
  };
}
