#!/usr/bin/env node
/**
 * The entry point of `cfs-studio`. What computes runs in a process that this one starts; what only
 * reads runs here. Each loads no more than it needs.
 */
import { findLauncher } from './launched.js';
import { launch, needsLauncher } from './launcher.js';
import { processTerminal } from './terminal.js';

// A reader that went away (`| head`) must not end a training run.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const args = process.argv.slice(2);
const launcher = findLauncher();
if (launcher === undefined && needsLauncher(args, process.env)) {
  process.exitCode = await launch(args, processTerminal);
} else {
  const { runHere } = await import('./here.js');
  process.exitCode = await runHere(args, launcher);
}
