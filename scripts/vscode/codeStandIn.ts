/**
 * A `code` for @vscode/test-cli: understands the options that start a test run, opens the browser
 * edition with the extension under development, and ends with the exit code of the tests.
 */
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { format } from 'node:util';
import { openWindow } from './browser.js';
import { startVsCode } from './server.js';

const longestRunMs = 5 * 60_000;
/** What the workbench itself says in its console, which is not the tests' output. */
const workbenchTalk =
  /vsda|builtin extensions|AccountPolicy|queryRawGallery|workbench\.js|reconnection|AgentHost|ChatModel|Service Worker|Creating a socket|onnection token|skills|Long running operations/;

const options = (name: string): string[] =>
  process.argv
    .filter((argument) => argument.startsWith(`--${name}=`))
    .map((argument) => argument.slice(name.length + 3));
const folder = process.argv.slice(2).find((argument) => !argument.startsWith('-'));

const server = await startVsCode({
  smokeTestDriver: true,
  settings: { 'extensions.autoUpdate': false },
});
const window = await openWindow(join(server.home, 'browser'));
const finished = new Promise<number>((done) => {
  void server.ended.then((code) => done(code ?? 1));
  void wait(longestRunMs, undefined, { ref: false }).then(() => {
    console.error(`The tests did not end in ${longestRunMs / 60_000} minutes.`);
    done(124);
  });
  const page = window.pages()[0];
  if (!page) return done(1);
  void (async () => {
    await page.exposeFunction('codeAutomationLog', (kind: string, parts: unknown[]) => {
      const text = format(...parts);
      if (kind === 'warn' || workbenchTalk.test(text)) return;
      if (kind === 'error') console.error(text);
      else console.log(text);
    });
    await page.exposeFunction('codeAutomationExit', (code: number) => done(code));
    const remote = (path: string): string => `vscode-remote://${new URL(server.url).host}${path}`;
    const payload = ['extensionDevelopmentPath', 'extensionTestsPath'].flatMap((name) =>
      options(name).map((path) => [name, remote(path)]),
    );
    const query = new URLSearchParams({ payload: JSON.stringify(payload) });
    if (folder !== undefined) query.set('folder', folder);
    await page.goto(`${server.url}/?${query.toString()}`);
  })().catch((error: unknown) => {
    console.error(error);
    done(1);
  });
});
const code = await finished;
await window.close();
await server.close();
process.exit(code);
