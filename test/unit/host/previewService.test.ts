/** The preview process comes when it is asked, goes when it is not, and may crash in between. */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { createPreviewService } from '../../../src/host/previewService.js';
import type { PreviewService } from '../../../src/host/studio.js';
import { createCleaner, keepLog, writeProgram } from './hostSupport.js';

/**
 * Answers `doctor` with its process id as a version; `validateDataset` is the end of it, and
 * `drawReport` keeps it busy for good, after it said which process that is.
 */
const fakePreview = `
const tell = (message) => process.send(message);
process.on('message', ({ id, method, params }) => {
  if (method === 'doctor') {
    const system = { platform: 'x', cpu: 'x', cores: 1, memory: 1, freeMemory: 1 };
    const result = { versions: { pid: String(process.pid) }, system, providers: [] };
    tell({ kind: 'answer', id, result });
  }
  if (method === 'validateDataset') process.exit(7);
  if (method === 'drawReport') {
    const payload = { file: String(process.pid), rows: 0 };
    process.send({ kind: 'event', name: 'reading', payload }, () => { for (;;); });
  }
  if (method === 'followSamples') {
    tell({ kind: 'answer', id, result: {} });
    clearInterval(globalThis.telling);
    if (params.file === undefined) return;
    let index = 0;
    const next = (first) => {
      const sample = { index, text: String(process.pid), length: 1, meanLogprob: -1, repetition: 0 };
      const payload = { file: params.file, first, samples: [{ ...sample, stop: 'eos' }] };
      tell({ kind: 'event', name: 'samples', payload });
      index++;
    };
    next(true);
    globalThis.telling = setInterval(() => next(false), 20);
  }
  if (method === 'describeModel') {
    tell({ kind: 'event', name: 'reading', payload: { file: params.folder, rows: 5 } });
  }
});
`;

const clean = createCleaner();

function setUp(idleMs?: number, restartMs?: number) {
  const { log, lines } = keepLog();
  const script = writeProgram(fakePreview);
  const service = clean(createPreviewService({ script, log, idleMs, restartMs }));
  const pid = async (): Promise<number> =>
    Number((await service.request('doctor', {})).versions.pid);
  return { service, lines, pid };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('one process answers question after question, and ends with the service', async () => {
  const { service, pid } = setUp();
  const first = await pid();
  expect(await pid()).toBe(first);
  expect(isAlive(first)).toBe(true);
  service.dispose();
  await vi.waitFor(() => expect(isAlive(first)).toBe(false), 5000);
  await expect(pid()).rejects.toMatchObject({ code: 'RPC_CLOSED' });
});

test('after a crash open questions fail with it, and the next one is answered', async () => {
  const { service, pid, lines } = setUp();
  const first = await pid();
  await expect(service.request('validateDataset', { files: ['x'] })).rejects.toMatchObject({
    code: 'PREVIEW_DIED',
    message: expect.stringContaining('exit code 7') as string,
  });
  expect(lines.some((line) => line.includes('PREVIEW_DIED'))).toBe(true);
  expect(await pid()).not.toBe(first);
});

test('it ends when nobody asks any more, never while somebody waits', async () => {
  const { service, pid } = setUp(200);
  const first = await pid();
  await vi.waitFor(() => expect(isAlive(first)).toBe(false), 5000);
  const second = await pid();
  expect(second).not.toBe(first);
  const waiting = service.request('describeModel', { folder: 'x' });
  waiting.catch(() => undefined);
  await wait(700);
  expect(isAlive(second)).toBe(true);
});

test('it is ended when an answer is late, however busy it is, and the next question is answered', async () => {
  const { service, pid, lines } = setUp();
  const told: string[] = [];
  service.onReading(({ file }) => told.push(file));
  const busy = await pid();
  const other = service.request('describeModel', { folder: 'x' });
  const late = {
    code: 'PREVIEW_KILLED',
    message: expect.stringContaining('“drawReport” within 1 s') as string,
  };
  const otherFails = expect(other).rejects.toMatchObject(late);
  const asked = service.request('drawReport', { folder: 'x' }, { timeoutMs: 1000 });
  await expect(asked).rejects.toMatchObject(late);
  await otherFails;
  // It did hang, and not for want of a message.
  expect(told).toContain(String(busy));
  await vi.waitFor(() => expect(isAlive(busy)).toBe(false), 5000);
  expect(lines.filter((line) => line.includes('PREVIEW_KILLED'))).toHaveLength(1);
  expect(await pid()).not.toBe(busy);
});

test('reading is told while it goes on', async () => {
  const { service } = setUp();
  const told: unknown[] = [];
  service.onReading((progress) => told.push(progress));
  const asked = service.request('describeModel', { folder: 'rows.jsonl' }, { timeoutMs: 3000 });
  asked.catch(() => undefined);
  await vi.waitFor(() => expect(told).toEqual([{ file: 'rows.jsonl', rows: 5 }]), 5000);
});

describe('samples that are followed', () => {
  function follow(service: PreviewService, file: string) {
    const told: { index: number; pid: number; first: boolean }[] = [];
    const following = service.followSamples(file, (samples, first) => {
      for (const { index, text } of samples) told.push({ index, pid: Number(text), first });
    });
    return { told, stop: (): void => void following.dispose() };
  }

  test('come as they are written, and keep the process although nobody asks', async () => {
    const { service } = setUp(100);
    const { told, stop } = follow(service, 'a');
    await vi.waitFor(() => expect(told.length).toBeGreaterThan(20), 5000);
    expect(told.slice(0, 3)).toMatchObject([
      { index: 0, first: true },
      { index: 1, first: false },
      { index: 2 },
    ]);
    const pid = told[0]?.pid ?? 0;
    expect(new Set(told.map((each) => each.pid))).toEqual(new Set([pid]));
    stop();
    const heard = told.length;
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 5000);
    expect(told).toHaveLength(heard);
  });

  test('begin anew in another process when theirs dies, whether somebody asks or not', async () => {
    const { service, pid } = setUp(undefined, 10);
    const { told, stop } = follow(service, 'a');
    await vi.waitFor(() => expect(told.length).toBeGreaterThan(1), 5000);
    process.kill(told[0]?.pid ?? 0, 'SIGKILL');
    const begun = (): number[] => told.filter(({ first }) => first).map((each) => each.pid);
    await vi.waitFor(() => expect(begun()).toHaveLength(2), 5000);
    expect(begun()[1]).toBe(await pid());

    const crash = service.request('validateDataset', { files: ['x'] });
    await expect(crash).rejects.toMatchObject({ code: 'PREVIEW_DIED' });
    const third = await pid();
    await vi.waitFor(() => expect(begun().at(-1)).toBe(third), 5000);
    stop();
  });

  test('are those of the file that was named last', async () => {
    const { service } = setUp();
    const first = follow(service, 'a');
    const second = follow(service, 'b');
    await vi.waitFor(() => expect(second.told.length).toBeGreaterThan(2), 5000);
    expect(first.told).toEqual([]);
    first.stop();
    const heard = second.told.length;
    await vi.waitFor(() => expect(second.told.length).toBeGreaterThan(heard), 5000);
    second.stop();
  });
});
