/**
 * Tells whether a process, or one that it starts, wants to use the network: a module that is loaded into
 * each of them, and, where the system allows a network of its own, the counters of that network, which
 * count what native libraries do as well.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whatever opens a connection, asks for a name or listens: says so in the file, and fails. */
const guard = `
const { appendFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const refuse = (name) => function () {
  appendFileSync(process.env.NETWORK_GUARD, process.argv.slice(1, 3).join(' ') + ': ' + name + '\\n');
  throw new Error('The network was used: ' + name);
};
const net = require('node:net');
net.Socket.prototype.connect = refuse('net.connect');
net.Server.prototype.listen = refuse('net.listen');
const dgram = require('node:dgram');
for (const name of ['bind', 'connect', 'send']) dgram.Socket.prototype[name] = refuse('dgram.' + name);
const all = { http: ['request', 'get'], https: ['request', 'get'], http2: ['connect'], tls: ['connect'] };
const dns = require('node:dns');
all.dns = Object.keys(dns).filter((name) => /^(lookup|resolve|reverse)/.test(name));
for (const [module, names] of Object.entries(all)) {
  for (const name of names) require('node:' + module)[name] = refuse(module + '.' + name);
}
for (const name of all.dns) if (name in dns.promises) dns.promises[name] = refuse('dns.' + name);
for (const name of ['fetch', 'WebSocket', 'EventSource']) globalThis[name] = refuse(name);
syncBuiltinESMExports();
`;

/** Runs a command, looks at the sockets of its network meanwhile and at its counters in the end. */
const watcher = `
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
const [report, command, ...args] = process.argv.slice(2);
const read = (name) => { try { return readFileSync('/proc/self/net/' + name, 'utf8'); } catch { return ''; } };
const sockets = new Set();
const look = () => {
  for (const name of ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6']) {
    for (const line of read(name).trim().split('\\n').slice(1)) sockets.add(name + ' ' + line.trim());
  }
};
setInterval(look, 10);
spawn(command, args, { stdio: 'inherit' }).on('exit', (code) => {
  look();
  const counters = {};
  const [names, values] = read('snmp').split('\\n').filter((line) => line.startsWith('Ip: '));
  names.split(' ').forEach((name, i) => { counters['Ip' + name] = Number(values.split(' ')[i]); });
  for (const line of read('snmp6').trim().split('\\n')) {
    const [name, value] = line.split(/\\s+/);
    counters[name] = Number(value);
  }
  const used = Object.entries(counters).filter(([name, value]) =>
    /^Ip6?Out(Requests|NoRoutes)$/.test(name) && value > 0);
  writeFileSync(report, JSON.stringify({ sockets: [...sockets], used }));
  process.exit(code ?? 1);
});
`;

/** Whether this system gives a process a network of its own, in which nothing can be reached. */
export const hasOwnNetworks =
  process.platform === 'linux' && spawnSync('unshare', ['-rn', 'true']).status === 0;

export interface Watched {
  code: number | null;
  out: string;
  /** What the module saw, a line each. */
  calls: string[];
  /** Sockets and counters of its own network; nothing where there are no such networks. */
  sockets: string[];
  used: [counter: string, value: number][];
}

/** `folder` is for files of the watching. */
export async function watchNetwork(
  folder: string,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<Watched> {
  const [module, script] = [join(folder, 'guard.cjs'), join(folder, 'watcher.mjs')];
  const [calls, report] = [join(folder, 'calls'), join(folder, 'report.json')];
  writeFileSync(module, guard);
  writeFileSync(script, watcher);
  writeFileSync(calls, '');
  const inside = ['unshare', '-rn', process.execPath, script, report];
  const [program = '', ...args] = hasOwnNetworks ? [...inside, ...command] : command;
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, NODE_OPTIONS: `--require ${module}`, NETWORK_GUARD: calls, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (out += chunk.toString()));
  }
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const seen = existsSync(report)
    ? (JSON.parse(readFileSync(report, 'utf8')) as Pick<Watched, 'sockets' | 'used'>)
    : { sockets: [], used: [] };
  return { code, out, calls: readFileSync(calls, 'utf8').split('\n').filter(Boolean), ...seen };
}
