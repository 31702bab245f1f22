/**
 * What a command needs of the world around it, so that a test can be that world.
 */
import type {
  checkRunCommand,
  doctorCommand,
  evaluateCommand,
  generateCommand,
  validateCommand,
} from '../engine/commands.js';
import type { runJob } from '../engine/job.js';
import type { Terminal } from './terminal.js';

/** The engine's functions; they are loaded on first use, as ONNX Runtime takes its time. */
export interface Engine {
  runJob: typeof runJob;
  checkRunCommand: typeof checkRunCommand;
  generateCommand: typeof generateCommand;
  validateCommand: typeof validateCommand;
  evaluateCommand: typeof evaluateCommand;
  doctorCommand: typeof doctorCommand;
}

export interface Io extends Terminal {
  /** Whether `out` is a terminal, and how wide. */
  tty: boolean;
  columns: number;
  cwd: string;
  /** Show stacks. */
  debug: boolean;
  loadEngine(): Promise<Engine>;
  /** Aborted at the first Ctrl-C; the second one ends the process by itself. */
  interrupted(): AbortSignal;
  /** Told which run is being worked on, by its folder. */
  workingOn(folder: string): void;
}

/** Printed as the version; from package.json. */
export { version } from '../../package.json';

export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
