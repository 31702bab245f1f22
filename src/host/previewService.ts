/**
 * Asks the preview process. It is started by the first question and ended when nobody has asked for
 * a while, as it holds a dataset in memory. After a crash the next question starts another; so it does
 * after a question that was not answered in time, as whatever keeps the process from answering would
 * keep it from the next one too. While samples are followed it stays, and comes back by itself.
 */
import { CfsError } from '../errors.js';
import { previewContract, previewHostContract, type PreviewContract } from '../protocol/preview.js';
import { createRpc, type Rpc } from '../protocol/rpc.js';
import { startProgram, type Exit, type Program } from './childProcess.js';
import { createEmitter } from './emitter.js';
import { describeFailure, type Log } from './log.js';
import type { PreviewService } from './studio.js';

export interface PreviewServiceOptions {
  /** The preview process's bundle. */
  script: string;
  log: Log;
  /** Another Node.js than the editor's own. */
  nodePath?: () => string | undefined;
  /** How long it is kept without a question while no samples are followed. */
  idleMs?: number;
  /** How soon it is started again when it dies while samples are followed; later each time. */
  restartMs?: number;
}

/** A dataset of millions of rows on a slow disk is read in minutes. */
const answerTimeoutMs = 10 * 60_000;
const defaultIdleMs = 2 * 60_000;
const defaultRestartMs = 1000;
const longestRestartMs = 60_000;

interface Line {
  program: Program;
  rpc: Rpc<typeof previewHostContract, PreviewContract>;
  /** Rejects, with the reason, when the process dies. */
  died: Promise<never>;
  /** Has `died` reject. */
  fail(reason: CfsError): void;
  open: number;
}

export function createPreviewService(options: PreviewServiceOptions): PreviewService {
  const { log, idleMs = defaultIdleMs, restartMs = defaultRestartMs } = options;
  const reading = createEmitter<{ file: string; rows: number }>();
  let line: Line | undefined;
  let idle: NodeJS.Timeout | undefined;
  let followed: { file: string; take: Parameters<PreviewService['followSamples']>[1] } | undefined;
  let restart: NodeJS.Timeout | undefined;
  /** How often it died since samples last came. */
  let deaths = 0;
  let disposed = false;

  const connect = (): Line => {
    clearTimeout(restart);
    let receive: (message: unknown) => void = () => undefined;
    let fail: (error: CfsError) => void = () => undefined;
    const died = new Promise<never>((_, reject) => (fail = reject));
    // Whoever asks hears of it; without an open question nobody needs to.
    died.catch(() => undefined);
    const program = startProgram({
      script: options.script,
      name: 'preview',
      nodePath: options.nodePath?.(),
      log,
      onMessage: (message) => receive(message),
      onExit: (exit) => {
        if (line?.program === program) lose(line, exit.failure ?? crashed(exit));
      },
    });
    const rpc = createRpc<typeof previewHostContract, PreviewContract>({
      endpoint: {
        post: (message) => program.send(message as object),
        listen: (take) => {
          receive = take;
          return () => (receive = () => undefined);
        },
      },
      mine: previewHostContract,
      theirs: previewContract,
      handlers: {},
      listeners: {
        reading: (progress) => reading.fire(progress),
        samples: ({ file, samples, first }) => {
          deaths = 0;
          if (followed?.file === file) followed.take(samples, first);
        },
      },
      onProblem: (problem) => log.warn(describeFailure(problem)),
    });
    const connected = { program, rpc, died, fail, open: 0 };
    if (followed !== undefined) sendFollowed(connected);
    return connected;
  };

  /** Fails all that is open, for the reason given; what is followed begins anew in a moment. */
  const lose = (lost: Line, error: CfsError): void => {
    log.error(describeFailure(error));
    if (line === lost) line = undefined;
    lost.fail(error);
    lost.rpc.dispose();
    if (followed === undefined || line !== undefined) return;
    restart = setTimeout(tellFollowed, Math.min(longestRestartMs, restartMs * 2 ** deaths));
    deaths++;
  };

  const sendFollowed = ({ rpc }: Line): void => {
    // Whether it arrives shows in the samples; how the process dies is told where it does.
    rpc.request('followSamples', { file: followed?.file }).catch(() => undefined);
  };

  /** Lets the process know what is followed, starting it where something is. */
  const tellFollowed = (): void => {
    if (disposed) return;
    if (line !== undefined) sendFollowed(line);
    else if (followed !== undefined) line = connect();
    endWhenIdle();
  };

  const endWhenIdle = (): void => {
    clearTimeout(idle);
    if (line?.open === 0 && followed === undefined) idle = setTimeout(close, idleMs);
  };

  const close = (): void => {
    clearTimeout(idle);
    clearTimeout(restart);
    const closing = line;
    line = undefined;
    if (closing !== undefined) end(closing);
  };

  /** Works on a process that is busy, too. */
  const end = ({ rpc, program }: Line): void => {
    rpc.dispose();
    program.release();
    program.kill();
  };

  return {
    request: async (method, params, { timeoutMs = answerTimeoutMs } = {}) => {
      if (disposed) throw closed();
      clearTimeout(idle);
      const used = (line ??= connect());
      used.open++;
      try {
        return await Promise.race([used.rpc.request(method, params, { timeoutMs }), used.died]);
      } catch (error) {
        if (!(error instanceof CfsError) || error.code !== 'RPC_TIMEOUT') throw error;
        const late = tooSlow(method, timeoutMs);
        if (line === used) {
          lose(used, late);
          end(used);
        }
        throw late;
      } finally {
        used.open--;
        endWhenIdle();
      }
    },
    onReading: reading.event,
    followSamples: (file, take) => {
      const mine = { file, take };
      followed = mine;
      tellFollowed();
      return {
        dispose: () => {
          if (followed !== mine) return;
          followed = undefined;
          tellFollowed();
        },
      };
    },
    dispose: () => {
      disposed = true;
      close();
      reading.dispose();
    },
  };
}

function crashed({ code, signal }: Exit): CfsError {
  return new CfsError({
    code: 'PREVIEW_DIED',
    message: `The process that reads models and datasets ended unexpectedly (${
      signal ?? `exit code ${code ?? 'unknown'}`
    }).`,
    remedy: 'Try again; if it happens again, look at the CFS Studio log.',
  });
}

function tooSlow(method: string, milliseconds: number): CfsError {
  return new CfsError({
    code: 'PREVIEW_KILLED',
    message: `The process that reads models and datasets did not answer “${method}” within ${Math.round(
      milliseconds / 1000,
    )} s and was ended.`,
    remedy: 'Try again: a new process answers. If it is no faster, look at the CFS Studio log.',
  });
}

function closed(): CfsError {
  return new CfsError({
    code: 'RPC_CLOSED',
    message: 'The extension is closing.',
    remedy: 'Try again after the window has reloaded.',
  });
}
