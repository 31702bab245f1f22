/**
 * Runs a command line in this process: connects the commands to it and its terminal.
 */
import { interrupted } from './interrupt.js';
import type { Engine, Io } from './io.js';
import type { Launcher } from './launched.js';
import { terminalDescriptor } from './line.js';
import { runCli } from './program.js';
import { processTerminal, terminalWithStderr } from './terminal.js';

async function loadEngine(): Promise<Engine> {
  const [job, commands] = await Promise.all([
    import('../engine/job.js'),
    import('../engine/commands.js'),
  ]);
  return { ...job, ...commands };
}

/** Resolves to the exit code. */
export async function runHere(args: readonly string[], launcher?: Launcher): Promise<number> {
  const terminal = launcher ? terminalWithStderr(terminalDescriptor) : processTerminal;
  // What Node warns of may hold text from outside too.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => terminal.err(`${name}: ${message}\n`));
  const io: Io = {
    ...terminal,
    tty: process.stdout.isTTY,
    get columns() {
      return process.stdout.columns;
    },
    cwd: process.cwd(),
    debug: process.env['CFS_DEBUG'] === '1',
    loadEngine,
    interrupted: () => interrupted(terminal, launcher),
    workingOn: (folder) => launcher?.tell({ type: 'run', folder }),
  };
  const code = await runCli(args, io);
  await launcher?.end();
  return code;
}
