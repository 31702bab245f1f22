/**
 * The command line: what can be typed, and which exit code comes back.
 *
 * | code | meaning |
 * |---|---|
 * | 0 | done |
 * | 1 | it failed; stderr says why and what to do |
 * | 2 | wrong usage, or a `run.yaml` that is wrong |
 * | 130 | stopped by Ctrl-C, after a checkpoint |
 *
 * The launcher adds 128 + the number of a signal that ended the process which computes.
 */
import { resolve } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { formatError } from '../errors.js';
import { untilSchema, type Until } from '../protocol/engine.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { exitCodes, version } from './io.js';
import type { Io } from './io.js';
import { makeReport, printJson, resumeRun, showRuns, startRun } from './jobs.js';
import type { CommonOptions } from './jobs.js';
import { doctor, evaluate, generate, validate } from './tools.js';

/** The options of every command; each command knows which of them it has. */
interface Flags {
  json: boolean;
  workspace: string;
  until: Until;
  verify: boolean;
  count?: number;
  model?: string;
  output?: string;
}

/** Runs one command line (without `node` and the script's name); returns the exit code. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  let code: number = exitCodes.ok;
  const program = createProgram(io, (result) => (code = result));
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    return report(error, io, args.includes('--json'));
  }
}

function report(error: unknown, io: Io, json: boolean): number {
  const record = errorRecord(error);
  if (json) printJson(io, { type: 'error', error: record });
  io.err(`${formatError(record)}\n`);
  if (io.debug && error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  return record.code.startsWith('CONFIG_') ? exitCodes.usage : exitCodes.failed;
}

function createProgram(io: Io, done: (code: number) => void): Command {
  const program = new Command('cfs-studio')
    .description('Fine-tune a language model without it forgetting what it could do before.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) });

  const command = (usage: string, about: string): Command =>
    program
      .command(usage)
      .description(about)
      .option('--json', 'print JSON lines', false)
      .option('-C, --workspace <folder>', 'the folder that holds .cfs/runs', '.');
  const common = (flags: Flags): CommonOptions & Flags => ({
    ...flags,
    workspace: resolve(io.cwd, flags.workspace),
  });

  command('run <run.yaml>', 'start a run from a configuration')
    .addOption(until())
    .addOption(verify())
    .action(async (file: string, flags: Flags) => done(await startRun(io, file, common(flags))));
  command('resume <run>', 'resume a run from its last checkpoint')
    .addOption(until())
    .addOption(verify())
    .action(async (name: string, flags: Flags) => done(await resumeRun(io, name, common(flags))));
  command('generate <run.yaml>', 'generate context-free samples and print them')
    .option('-n, --count <samples>', 'number of samples, instead of the budget', wholeNumber)
    .option('-o, --output <file>', 'also save them as JSON lines')
    .action(async (file: string, flags: Flags) => done(await generate(io, file, common(flags))));
  command(
    'validate <run.yaml>',
    'check a configuration and its dataset, and preview the mix',
  ).action(async (file: string, flags: Flags) => done(await validate(io, file, common(flags))));
  command('evaluate <run.yaml>', 'score a model on the tasks in a configuration')
    .option('-m, --model <folder>', 'score this model instead of the base model')
    .action(async (file: string, flags: Flags) => done(await evaluate(io, file, common(flags))));
  command('doctor', 'show versions, memory and which providers work').action(async (flags: Flags) =>
    done(await doctor(io, common(flags))),
  );
  command('report <run...>', 'write the report of a run, or of several runs side by side')
    .option(
      '-o, --output <file>',
      'write it here instead of to report.html in the folder of the first run',
    )
    .action((names: string[], flags: Flags) => done(makeReport(io, names, common(flags))));
  command('runs', 'list the runs').action((flags: Flags) => done(showRuns(io, common(flags))));
  return program;
}

function until(): Option {
  return new Option('--until <phase>', 'stop once the samples are generated, to read them first')
    .choices(untilSchema.options)
    .default('end');
}

function verify(): Option {
  return new Option(
    '--verify',
    'hash all model and task files again instead of trusting their size and times',
  ).default(false);
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new InvalidArgumentError('It must be a whole number, at least 1.');
  }
  return value;
}
