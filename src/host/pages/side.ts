/** What the panel and the host's sides of its pages have in common. */
import type { PanelHostContract, PanelPageContract } from '../../protocol/panel.js';
import type { Handlers, Rpc } from '../../protocol/rpc.js';

export type PanelRpc = Rpc<PanelHostContract, PanelPageContract>;
export type Tell = PanelRpc['tell'];

/** Answers the requests of one page. */
export interface PageSide<M extends keyof PanelHostContract['requests']> {
  handlers: Pick<Handlers<PanelHostContract>, M>;
  /** Sends nothing more until it is asked again: the page is gone, hidden or reloading. */
  rest(): void;
}
