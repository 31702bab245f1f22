/** What the panel and its pages have in common: the line to the host, and what a page is. */
import type { TemplateResult } from 'lit-html';
import type { Page, PanelHostContract, PanelPageContract } from '../../src/protocol/panel.js';
import type { Listeners, Rpc } from '../../src/protocol/rpc.js';
import type { RunInfo } from '../../src/protocol/runInfo.js';

export type PanelRpc = Rpc<PanelPageContract, PanelHostContract>;
export type PanelListeners = Listeners<PanelHostContract>;

/** What a page is given. */
export interface PageContext {
  rpc: PanelRpc;
  /** All runs of the workspace, the newest first. */
  runs(): readonly RunInfo[];
  /** Runs that the page is about; Curves draws them, Compare lists them side by side. */
  selected(): readonly string[];
  select(runIds: readonly string[]): void;
  /** Turns to another page. */
  go(page: Page): void;
  /** Asks for the panel to be drawn again, soon. */
  redraw(): void;
  /** The page's part of the state that outlives a reload. */
  remembered(): unknown;
  remember(state: unknown): void;
}

/** A page of the panel, alive as long as the panel; only the visible one is drawn. */
export interface PanelPage {
  /** The page became visible, or the runs or the selection changed while it is. */
  update(): void;
  render(): TemplateResult;
  /** The theme changed. */
  onTheme?(): void;
  /** Events of the host that concern it. */
  listeners: Partial<PanelListeners>;
}
