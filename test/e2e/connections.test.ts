/**
 * Nothing opens a connection, asks for a name or listens: neither the terminal's commands nor the
 * processes of the editor, in JavaScript or in native code. They talk over Node's own channel.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, inject, it } from 'vitest';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun } from '../../src/runs/runFolder.js';
import { hasOwnNetworks, watchNetwork, type Watched } from '../support/networkGuard.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const bundles = inject('bundles');
const workspace = writeWorkspace(temporaryFolder());
const node = process.execPath;

const nothing = { calls: [], sockets: [], used: [] };

/** What a Node program of this code does. */
function watch(code: string): Promise<Watched> {
  const folder = temporaryFolder();
  const file = join(folder, 'program.mjs');
  writeFileSync(file, code);
  return watchNetwork(folder, [node, file]);
}

/** Forks a program of ours and asks it all of `messages`, one after the other, as the editor does. */
function ask(program: string, messages: readonly object[], isAnswer: string): Promise<Watched> {
  return watch(`
import { fork } from 'node:child_process';
const child = fork(${JSON.stringify(join(bundles, program))});
const messages = ${JSON.stringify(messages)};
const next = () => (messages.length > 0 ? child.send(messages.shift()) : child.disconnect());
const isAnswer = (message) => ${isAnswer};
child.on('message', (message) => {
  if (message.kind === 'refusal' || message.type === 'failed') console.log(JSON.stringify(message));
  if (isAnswer(message)) next();
});
${isAnswer.includes('ready') ? '' : 'next();'}
child.on('exit', (code) => process.exit(code ?? 1));`);
}

describe('the watching', () => {
  it.each([
    ['fetch', `await fetch('http://localhost:9').catch(() => {})`, 'fetch'],
    [
      'http',
      `import { get } from 'node:http'; try { get('http://localhost:9') } catch {}`,
      'http.get',
    ],
    [
      'a name',
      `import { lookup } from 'node:dns'; try { lookup('localhost') } catch {}`,
      'dns.lookup',
    ],
    [
      'a pipe',
      `import { connect } from 'node:net'; try { connect('/tmp/x') } catch {}`,
      'net.connect',
    ],
    [
      'a listener',
      `import { createServer } from 'node:http'; try { createServer().listen(0) } catch {}`,
      'net.listen',
    ],
    [
      'UDP',
      `import { createSocket } from 'node:dgram'; try { createSocket('udp4').send('x', 9) } catch {}`,
      'dgram.send',
    ],
  ])('sees %s', async (_, code, call) => {
    const { calls } = await watch(code);
    expect(calls).toEqual([expect.stringMatching(new RegExp(`: ${call}$`))]);
  });

  it.runIf(hasOwnNetworks)('sees native code, where the system allows networks', async () => {
    const to = (kind: string) => [
      'bash',
      '-c',
      `exec 3<>/dev/${kind}/192.0.2.1/9; sleep 0.3; true`,
    ];
    for (const kind of ['tcp', 'udp']) {
      const { calls, used } = await watchNetwork(temporaryFolder(), to(kind));
      expect({ calls, used: used.length > 0 }, kind).toEqual({ calls: [], used: true });
    }
  });
});

describe('no connection, no name, no listener', () => {
  it.each([
    ['run', ['run', join(workspace, 'run.yaml')]],
    ['validate', ['validate', join(workspace, 'run.yaml')]],
    ['doctor', ['doctor']],
    ['a mistake', ['run', join(workspace, 'nowhere.yaml')]],
  ])('in the terminal: %s', async (name, line) => {
    const folder = join(temporaryFolder(), 'work');
    mkdirSync(folder);
    const args = name === 'doctor' ? line : [...line, '-C', folder];
    const { code, out, ...seen } = await watchNetwork(folder, [
      node,
      join(bundles, 'cli.js'),
      ...args,
    ]);
    expect(code, out).toBe(name === 'a mistake' ? 2 : 0);
    expect(seen).toEqual(nothing);
  });

  it('in the engine', async () => {
    const { folder } = createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
    const start = { type: 'start', runFolder: folder, until: 'end' };
    const { code, out, ...seen } = await ask('engine.js', [start], `message.type === 'ready'`);
    expect({ code, out }).toEqual({ code: 0, out: '' });
    expect(seen).toEqual(nothing);
  });

  it('in the preview process', async () => {
    const config = readRunConfig(join(workspace, 'run.yaml'));
    const asked: [string, object][] = [
      ['describeModel', { folder: config.model }],
      ['validateDataset', { files: [join(workspace, 'dataset.jsonl')] }],
      ['preview', { config }],
      ['doctor', {}],
      // One that goes wrong.
      ['describeModel', { folder: 'https://example.org/model' }],
    ];
    const messages = asked.map(([method, params], id) => ({ kind: 'request', id, method, params }));
    const isAnswer = `message.kind === 'answer' || message.kind === 'refusal'`;
    const { code, out, ...seen } = await ask('preview.js', messages, isAnswer);
    expect(code).toBe(0);
    expect(out.match(/refusal/g), out).toHaveLength(1);
    expect(seen).toEqual(nothing);
  });
});
