/** The engine as the editor starts it: the built program, forked, and its messages. */
import { fork, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { defined } from '../../src/errors.js';
import { engineMessageSchema, type EngineMessage } from '../../src/protocol/engine.js';
import { readRunConfig } from '../../src/runs/config.js';
import { createRun, readEvents, runState, type RunFolder } from '../../src/runs/runFolder.js';
import { listCheckpoints } from '../../src/trainer/checkpoint.js';
import { buildPrograms } from '../support/build.js';
import { temporaryFolder, writeWorkspace } from '../support/tinyModel.js';

const { engine } = buildPrograms();
const steps = 24;
const workspace = writeWorkspace(temporaryFolder(), {
  training: { steps, checkpointEvery: 8 },
  evaluation: { every: 12 },
});

const children: ChildProcess[] = [];
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));

function newRun(): RunFolder {
  return createRun(workspace, readRunConfig(join(workspace, 'run.yaml')));
}

/** A forked engine; every message is parsed on arrival. */
function startEngine(onMessage: (message: EngineMessage, child: ChildProcess) => void) {
  const child = fork(engine, [], { stdio: 'pipe' });
  children.push(child);
  const messages: EngineMessage[] = [];
  let err = '';
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<{ code: number | null; messages: EngineMessage[]; err: string }>(
    (resolve, reject) => {
      child.on('error', reject);
      child.on('message', (raw) => {
        const message = engineMessageSchema.parse(raw);
        messages.push(message);
        onMessage(message, child);
      });
      // Not `close`, which never comes once this side has hung up.
      child.on('exit', (code) => setImmediate(() => resolve({ code, messages, err })));
    },
  );
  return { child, ended };
}

/** Sends `request` once the engine is ready, and `react`s to each train step. */
function drive(request: object, react: (step: number, child: ChildProcess) => void = () => {}) {
  return startEngine((message, child) => {
    if (message.type === 'ready') child.send(request);
    if (message.type === 'event' && message.event.type === 'train_step') {
      react(message.event.step, child);
    }
  });
}

function weightsOf(run: RunFolder): Buffer {
  return readFileSync(join(run.paths.model, 'model.safetensors'));
}

describe('the engine process', () => {
  const whole = newRun();

  it('says that it is ready, runs a job, passes its events on and ends', async () => {
    const { child, ended } = drive({ type: 'start', runFolder: whole.folder, until: 'end' });
    const { code, messages, err } = await ended;
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(messages[0]).toMatchObject({ type: 'ready', pid: child.pid });
    expect(messages.at(-1)).toEqual({ type: 'finished', stopped: false });
    const events = messages.flatMap((message) => (message.type === 'event' ? message.event : []));
    expect(events).toEqual(readEvents(whole));
    expect(runState(whole)).toBe('finished');
  });

  it('stops after a checkpoint when told to, and resumes to the same weights', async () => {
    const run = newRun();
    const stop = drive({ type: 'start', runFolder: run.folder, until: 'end' }, (step, child) => {
      if (step === 10) child.send({ type: 'stop' });
    });
    const stopped = await stop.ended;
    expect(stopped.code).toBe(0);
    expect(stopped.messages.at(-1)).toEqual({ type: 'finished', stopped: true });
    expect(runState(run)).toBe('stopped');
    const [newest] = listCheckpoints(run.paths.checkpoints);
    expect(newest).toBeGreaterThanOrEqual(10);
    expect(newest).toBeLessThan(steps);

    const resumed = await drive({ type: 'resume', runFolder: run.folder, until: 'end' }).ended;
    expect(resumed.messages.at(-1)).toEqual({ type: 'finished', stopped: false });
    const started = resumed.messages.find(
      (message) => message.type === 'event' && message.event.type === 'run_started',
    );
    expect(started).toMatchObject({ event: { step: newest } });
    expect(weightsOf(run).equals(weightsOf(whole))).toBe(true);
  });

  it('ends at the samples when told to, and resumes to the same weights', async () => {
    const run = newRun();
    const request = { type: 'start', runFolder: run.folder, until: 'samples' };
    const sampled = await drive(request).ended;
    expect(sampled).toMatchObject({ code: 0, err: '' });
    expect(sampled.messages.at(-1)).toEqual({ type: 'finished', stopped: true });
    expect(readEvents(run).some(({ type }) => type === 'train_step')).toBe(false);
    await drive({ type: 'resume', runFolder: run.folder, until: 'end' }).ended;
    expect(weightsOf(run).equals(weightsOf(whole))).toBe(true);
  });

  it('writes a checkpoint and ends when the host goes away', async () => {
    const run = newRun();
    const { ended } = drive(
      { type: 'start', runFolder: run.folder, until: 'end' },
      (step, child) => {
        if (step === 10 && child.connected) child.disconnect();
      },
    );
    expect(await ended).toMatchObject({ code: 0, err: '' });
    expect(runState(run)).toBe('stopped');
    expect(defined(listCheckpoints(run.paths.checkpoints)[0], 'checkpoint')).toBeLessThan(steps);
    await drive({ type: 'resume', runFolder: run.folder, until: 'end' }).ended;
    expect(weightsOf(run).equals(weightsOf(whole))).toBe(true);
  });

  it('ends when the host goes away, or says stop, before a job was started', async () => {
    const left = startEngine((_, child) => child.disconnect());
    expect(await left.ended).toMatchObject({ code: 0, err: '' });
    const told = startEngine((message, child) => {
      if (message.type === 'ready') child.send({ type: 'stop' });
    });
    const { code, messages } = await told.ended;
    expect(code).toBe(0);
    expect(messages.at(-1)).toEqual({ type: 'finished', stopped: true });
  });

  it.each([
    ['a message it does not know', { type: 'dance' }, 'PROTOCOL_MISMATCH'],
    [
      'a folder that is no run',
      { type: 'start', runFolder: temporaryFolder(), until: 'end' },
      'RUN_NOT_FOUND',
    ],
    ['a run that is over', { type: 'start', runFolder: whole.folder, until: 'end' }, 'RUN_BEGUN'],
  ])('answers %s with one failure', async (_, request, errorCode) => {
    const { code, messages, err } = await drive(request).ended;
    expect({ code, err }).toEqual({ code: 1, err: '' });
    const failed = messages.filter(({ type }) => type === 'failed');
    expect(failed).toMatchObject([{ error: { code: errorCode } }]);
  });
});
