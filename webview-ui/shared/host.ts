/**
 * The line from a page to the host: the shared rpc over a webview's `postMessage`, and the page's
 * own state, which VS Code keeps while the page is hidden and over a reload.
 */
import type { z } from 'zod';
import {
  createRpc,
  type Contract,
  type Endpoint,
  type Listeners,
  type Rpc,
} from '../../src/protocol/rpc.js';

interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const api = acquireVsCodeApi();

const endpoint: Endpoint = {
  post: (message) => api.postMessage(message),
  listen: (receive) => {
    const hear = (event: MessageEvent<unknown>): void => receive(event.data);
    window.addEventListener('message', hear);
    return () => window.removeEventListener('message', hear);
  },
};

/** Connects a page that itself answers nothing. */
export function connect<Page extends Contract, Host extends Contract>(
  page: Page & { requests: Record<never, never> },
  host: Host,
  listeners: Listeners<Host>,
): Rpc<Page, Host> {
  return createRpc<Page, Host>({
    endpoint,
    mine: page,
    theirs: host,
    handlers: {} as never,
    listeners,
    onProblem: (problem) => console.error(problem.message),
  });
}

/** The state kept from last time, or the schema's own defaults where there is none that fits. */
export function readState<T>(schema: z.ZodType<T>, fallback: T): T {
  const parsed = schema.safeParse(api.getState());
  return parsed.success ? parsed.data : fallback;
}

export function keepState(state: unknown): void {
  api.setState(state);
}
