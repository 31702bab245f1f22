/**
 * The process that the launcher has started, as seen from inside: it tells the launcher how far it is,
 * and ends after a checkpoint when the launcher asks for it or is gone.
 */
import { stopPatienceMs } from '../protocol/engine.js';
import { watchParent } from '../watchParent.js';
import { isInterrupt, launchedMark, type LaunchedMessage } from './line.js';

export interface Launcher {
  tell(message: LaunchedMessage): void;
  /** `stop` is called when the work is to end; until then there is no work to end. */
  onInterrupt(stop: () => void): void;
  /** Tells that the command has ended, and lets this process end. */
  end(): Promise<void>;
}

/** The launcher that has started this process; undefined where people have. */
export function findLauncher(): Launcher | undefined {
  const isLaunched = process.env[launchedMark] !== undefined && process.send !== undefined;
  // Not for programs that this one starts.
  delete process.env[launchedMark];
  if (!isLaunched) return undefined;
  // What is not worth a checkpoint is not worth going on with.
  let stop = (): void => process.exit(1);
  const allow = watchParent(0);
  const gone = (): void => stop();
  process.on('disconnect', gone);
  process.on('message', (message) => {
    if (isInterrupt(message)) stop();
  });
  const send = (message: LaunchedMessage): Promise<void> =>
    new Promise((resolve) => {
      if (!process.connected || !process.send) return resolve();
      // It may go away at any moment: `disconnect` tells, so an error here says nothing new.
      process.send(message, undefined, {}, () => resolve());
    });
  return {
    tell: (message) => void send(message),
    onInterrupt: (act) => {
      stop = act;
      allow(stopPatienceMs);
      void send({ type: 'interruptible' });
    },
    end: async () => {
      process.off('disconnect', gone);
      await send({ type: 'done' });
      if (process.connected) process.disconnect();
    },
  };
}
