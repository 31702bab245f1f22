/**
 * The one place where a webview is set up: what it may load, its HTML, and the line to it. Pages are
 * discarded while hidden and ask again (`open`) when they come back, so nobody talks to a page
 * that is not seen: VS Code would keep the messages and deliver them all at once.
 */
import * as vscode from 'vscode';
import type { ErrorCode } from '../../errorCodes.js';
import { CfsError, formatError } from '../../errors.js';
import {
  createRpc,
  type Contract,
  type Endpoint,
  type Handlers,
  type Rpc,
} from '../../protocol/rpc.js';
import { describeFailure, type Log } from '../log.js';
import type { Studio } from '../studio.js';
import { webviewShell } from './shell.js';

export interface WebviewOptions<Host extends Contract, Page extends Contract> {
  /** Its bundle: `dist/webview/<name>.js` and `.css`. */
  name: 'inspector' | 'panel';
  title: string;
  host: Host;
  page: Page & { requests: Record<never, never>; events: Record<never, never> };
  handlers: Handlers<Host>;
}

/** Fills `webview` and answers it until the returned line is disposed. */
export function connectWebview<Host extends Contract, Page extends Contract>(
  { context, log }: Pick<Studio, 'context' | 'log'>,
  webview: vscode.Webview,
  { name, title, host, page, handlers }: WebviewOptions<Host, Page>,
): Rpc<Host, Page> {
  const bundles = vscode.Uri.joinPath(context.extensionUri, 'dist', 'webview');
  const address = (file: string): string =>
    webview.asWebviewUri(vscode.Uri.joinPath(bundles, file)).toString();
  webview.options = { enableScripts: true, localResourceRoots: [bundles] };
  const rpc = createRpc<Host, Page>({
    endpoint: endpointOf(webview, log),
    mine: host,
    theirs: page,
    handlers: logged(handlers, log),
    listeners: {} as never,
    onProblem: (problem) => log.error(formatError(problem)),
  });
  webview.html = webviewShell({
    title,
    script: address(`${name}.js`),
    style: address(`${name}.css`),
    cspSource: webview.cspSource,
  });
  return rpc;
}

/** Writes what went wrong into the log: a user's mistake in words, our own with its stack. */
export function logProblem(log: Log, where: string, error: unknown): void {
  if (error instanceof CfsError) log.warn(`${where}: ${formatError(error)}`);
  else log.error(`${where}: ${describeFailure(error)}`);
}

function endpointOf(webview: vscode.Webview, log: Log): Endpoint {
  return {
    post: (message) => {
      webview.postMessage(message).then(undefined, (error: unknown) => {
        logProblem(log, 'A page could not be told', error);
      });
    },
    listen: (receive) => {
      const listening = webview.onDidReceiveMessage(receive);
      return () => void listening.dispose();
    },
  };
}

/** An answer that another one has overtaken is no problem of anyone. */
const expected = new Set<ErrorCode>(['PREVIEW_SUPERSEDED']);

function logged<Host extends Contract>(handlers: Handlers<Host>, log: Log): Handlers<Host> {
  const wrapped = Object.entries<(params: never) => unknown>(handlers).map(([name, handle]) => [
    name,
    async (params: never) => {
      try {
        return await handle(params);
      } catch (error) {
        if (!(error instanceof CfsError && expected.has(error.code))) {
          logProblem(log, name, error);
        }
        throw error;
      }
    },
  ]);
  return Object.fromEntries(wrapped) as Handlers<Host>;
}
