/**
 * The process that runs a job for the editor: `runJob` behind the messages of `protocol/engine.ts`,
 * over Node IPC. It is a process of its own because a step blocks its thread and because memory that
 * runs out must not take the editor down. When the editor goes away, the job writes a checkpoint and
 * ends, so that closing a window loses nothing; one that does neither is ended.
 */
import { CfsError, messageOf } from '../errors.js';
import {
  engineRequestSchema,
  stopPatienceMs,
  type EngineMessage,
  type EngineRequest,
} from '../protocol/engine.js';
import { errorRecord } from '../protocol/errorRecord.js';
import { openRun } from '../runs/runFolder.js';
import { watchParent } from '../watchParent.js';
import { runJob } from './job.js';
import { versions } from './versions.js';

const controller = new AbortController();
let started = false;
/** The answer to a message that was not understood. */
let misunderstood: EngineMessage | undefined;

watchParent(stopPatienceMs);
process.on('message', (message: unknown) => {
  const parsed = engineRequestSchema.safeParse(message);
  if (parsed.success) return handle(parsed.data);
  controller.abort();
  misunderstood = { type: 'failed', error: errorRecord(notUnderstood(parsed.error)) };
  // A job under way writes its checkpoint first.
  if (!started) void end(misunderstood);
});
process.on('disconnect', () => {
  controller.abort();
  // A job under way ends by itself after its checkpoint; nothing else is worth waiting for.
  if (!started) process.exit();
});
// Ctrl-C in the terminal that started the editor reaches this process too; the editor decides.
process.on('SIGINT', () => undefined);

void send({ type: 'ready', pid: process.pid, version: versions()['cfs-studio'] ?? '' });

function handle(request: EngineRequest): void {
  if (request.type === 'stop') {
    controller.abort();
    if (!started) void end({ type: 'finished', stopped: true });
    return;
  }
  if (started) return;
  started = true;
  void run(request).then((message) => end(misunderstood ?? message));
}

/** Runs the job and returns the message that tells its end. */
async function run({
  type,
  runFolder,
  until,
}: Exclude<EngineRequest, { type: 'stop' }>): Promise<EngineMessage> {
  let stopped = false;
  try {
    await runJob({
      run: openRun(runFolder),
      resume: type === 'resume',
      until,
      signal: controller.signal,
      onEvent: (event) => {
        stopped = event.type === 'run_stopped';
        void send({ type: 'event', event });
      },
    });
    return { type: 'finished', stopped };
  } catch (error) {
    return { type: 'failed', error: errorRecord(error) };
  }
}

async function end(message: EngineMessage): Promise<void> {
  await send(message);
  process.exit(message.type === 'failed' ? 1 : 0);
}

/** Resolves when the message is on its way, or at once where nobody listens any more. */
function send(message: EngineMessage): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || !process.send) return resolve();
    // The host may go away at any moment: `disconnect` tells, so an error here says nothing new.
    process.send(message, undefined, {}, () => resolve());
  });
}

function notUnderstood(error: unknown): CfsError {
  return new CfsError({
    code: 'PROTOCOL_MISMATCH',
    message: `The engine received a message that it does not understand: ${messageOf(error)}`,
    remedy: 'Reload the window: two versions of the extension are running side by side.',
    cause: error,
  });
}
