/**
 * Commands that compute run in a process of their own, which this one starts and waits for: with the
 * environment that makes memory cheap (`allocator.ts`), with the stderr of native libraries on a pipe
 * instead of the terminal, and with somebody left who can say what happened when the system ends it. It
 * is small and loads nothing of the engine, so that it costs the start of a Node and no more.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { childEnvironment } from '../childEnvironment.js';
import type { CfsError } from '../errors.js';
import { countOomKills } from '../runs/memoryProbes.js';
import { stoppingText } from './interrupt.js';
import {
  isLaunchedMessage,
  launchedMark,
  noLauncherMark,
  type LaunchedMessage,
  type LauncherMessage,
} from './line.js';
import { createStderrLog, type StderrLog } from './stderrLog.js';
import type { Terminal } from './terminal.js';

/** Those that load ONNX Runtime; a test holds this list to the program. */
export const computing: ReadonlySet<string> = new Set([
  ...['run', 'resume', 'generate', 'validate', 'evaluate', 'doctor'],
]);

export function needsLauncher(args: readonly string[], env: NodeJS.ProcessEnv): boolean {
  return computing.has(args[0] ?? '') && !env[noLauncherMark];
}

interface Launched {
  child: ChildProcess;
  log: StderrLog;
  /** The folder of the run it works on. */
  run?: string;
  /** `done`: its exit code is that of the command. */
  state: 'starting' | 'interruptible' | 'done';
  seen: Set<NodeJS.Signals>;
  saidStopping: boolean;
  /** The signal that ends everything at once. */
  ending?: NodeJS.Signals;
}

const interrupts = ['SIGINT', 'SIGTERM'] as const;

/** Runs this same command line in a process of its own; resolves to its exit code. */
export async function launch(args: readonly string[], terminal: Terminal): Promise<number> {
  const oomKillsBefore = countOomKills();
  const log = createStderrLog();
  const child = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
    env: { ...childEnvironment(process.env), [launchedMark]: '1' },
    // The fourth is the terminal's stderr, for what people are to read (`terminalDescriptor`).
    stdio: ['inherit', 'inherit', 'pipe', process.stderr.fd, 'ipc'],
  });
  const launched: Launched = {
    child,
    log,
    state: 'starting',
    seen: new Set(),
    saidStopping: false,
  };
  child.stderr?.on('data', (chunk: Buffer) => {
    log.take(chunk);
    if (process.env['CFS_DEBUG'] === '1') terminal.err(chunk.toString('utf8'));
  });
  child.on('message', (message) => {
    if (isLaunchedMessage(message)) hear(launched, message, terminal);
  });
  const handlers = interrupts.map((signal) => {
    const handler = (): void => interrupt(launched, signal, terminal);
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });

  const { code, signal, failure } = await ended(child);
  handlers.forEach((remove) => remove());
  if (failure !== undefined) throw await notStarted(failure);
  const ending = launched.ending ?? interrupts.find((one) => one === signal);
  if (ending !== undefined) {
    await noteAsked(launched, { code, signal });
    // As if there were one process, for whoever started it.
    process.kill(process.pid, ending);
  }
  if (launched.state === 'done' && code !== null) return code;
  await tellDeath(args, launched, { code, signal, oomKillsBefore }, terminal);
  // As shells have it.
  return signal === null ? code || 1 : 128 + constants.signals[signal];
}

function hear(launched: Launched, message: LaunchedMessage, terminal: Terminal): void {
  switch (message.type) {
    case 'interruptible':
    case 'done':
      launched.state = message.type;
      return;
    case 'interrupted':
      return sayStopping(launched, terminal);
    case 'run':
      launched.run = message.folder;
      launched.log.keepIn(join(message.folder, 'stderr.log'));
  }
}

/**
 * Ctrl-C in a terminal reaches both processes, and `kill` only one of them. So it is passed on as a
 * message that says the same however often it comes; what is counted is what came here.
 */
function interrupt(launched: Launched, signal: NodeJS.Signals, terminal: Terminal): void {
  const isFirst = !launched.seen.has(signal);
  launched.seen.add(signal);
  if (isFirst && launched.state === 'interruptible') {
    sayStopping(launched, terminal);
    const message: LauncherMessage = { type: 'interrupt' };
    if (launched.child.connected) launched.child.send(message, () => undefined);
    return;
  }
  launched.ending = signal;
  // Nothing else ends a process in the middle of a step.
  launched.child.kill('SIGKILL');
}

function sayStopping(launched: Launched, terminal: Terminal): void {
  if (launched.saidStopping) return;
  launched.saidStopping = true;
  terminal.err(stoppingText);
}

interface End {
  code: number | null;
  signal: NodeJS.Signals | null;
}

function ended(child: ChildProcess): Promise<End & { failure?: Error }> {
  return new Promise((resolve) => {
    child.on('error', (failure) => {
      // Once it runs, what goes wrong with it shows in how it ends.
      if (child.pid === undefined) resolve({ code: null, signal: null, failure });
    });
    // Not “exit”: that may come before its last lines.
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
}

/** Nobody needs to look for a reason later. */
async function noteAsked({ child, run }: Launched, { code, signal }: End): Promise<void> {
  if (run === undefined || child.pid === undefined) return;
  const [{ noteEnd }, { runPaths }] = await Promise.all([
    import('../runs/vitals.js'),
    import('../runs/runFolder.js'),
  ]);
  noteEnd(runPaths(run).vitals, child.pid, { code, signal, asked: true });
}

/** Loads what it needs only now: a command that ends by itself needs none of it. */
async function tellDeath(
  args: readonly string[],
  { child, log, run }: Launched,
  seen: End & { oomKillsBefore: number | undefined },
  terminal: Terminal,
): Promise<void> {
  const [death, { runPaths }, { CfsError, formatError }, { errorRecord }] = await Promise.all([
    import('../runs/death.js'),
    import('../runs/runFolder.js'),
    import('../errors.js'),
    import('../protocol/errorRecord.js'),
  ]);
  const error = death.tellDeath(run === undefined ? undefined : runPaths(run), {
    ...seen,
    pid: child.pid,
  });
  const file = log.file();
  const { code, message, remedy } = error;
  const place = file === undefined ? {} : { file };
  const whole = new CfsError({ code, message, remedy, place });
  if (process.stdout.isTTY) terminal.redraw('');
  if (args.includes('--json')) {
    terminal.out(`${JSON.stringify({ type: 'error', error: errorRecord(whole) })}\n`);
  }
  terminal.err(`${formatError(whole)}\n`);
  for (const line of log.lastLines(20)) terminal.err(`  | ${line}\n`);
  if (run !== undefined && !args.includes('--json')) {
    terminal.out(`resume with: cfs-studio resume ${basename(run)}\n`);
  }
}

async function notStarted(cause: Error): Promise<CfsError> {
  const { CfsError, messageOf } = await import('../errors.js');
  return new CfsError({
    code: 'PROCESS_NOT_STARTED',
    message: `The process that computes could not be started: ${messageOf(cause)}.`,
    remedy: `Close other programs and try again, or set ${noLauncherMark}=1 to use one process.`,
    cause,
  });
}
