/** The Curves page. */
import { html } from 'lit-html';
import type { PageContext, PanelPage } from '../page.js';

export function createCurvesPage(context: PageContext): PanelPage {
  return {
    update: () => undefined,
    render: () => html`<p>${context.runs().length} runs</p>`,
    listeners: {},
  };
}
