#!/usr/bin/env node
/**
 * The entry point of `cfs-studio`: connects the commands to this process and its terminal.
 */
import type { Engine, Io } from './io.js';
import { interrupted } from './interrupt.js';
import { runCli } from './program.js';
import { processTerminal } from './terminal.js';

async function loadEngine(): Promise<Engine> {
  const [job, commands] = await Promise.all([
    import('../engine/job.js'),
    import('../engine/commands.js'),
  ]);
  return { ...job, ...commands };
}

// What Node warns of may hold text from outside too.
process.removeAllListeners('warning');
process.on('warning', ({ name, message }) => processTerminal.err(`${name}: ${message}\n`));

// A reader that went away (`| head`) must not end a training run.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const io: Io = {
  ...processTerminal,
  tty: process.stdout.isTTY,
  get columns() {
    return process.stdout.columns;
  },
  cwd: process.cwd(),
  debug: process.env['CFS_DEBUG'] === '1',
  loadEngine,
  interrupted: () => interrupted(processTerminal),
};
process.exitCode = await runCli(process.argv.slice(2), io);
