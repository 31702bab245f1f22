/** The preview process comes when it is asked, goes when it is not, and may crash in between. */
import { expect, test, vi } from 'vitest';
import { createPreviewService } from '../../../src/host/previewService.js';
import { createCleaner, keepLog, writeProgram } from './hostSupport.js';

/** Answers `doctor` with its process id as a version; `validateDataset` is the end of it. */
const fakePreview = `
const tell = (message) => process.send(message);
process.on('message', ({ id, method, params }) => {
  if (method === 'doctor') {
    const system = { platform: 'x', cpu: 'x', cores: 1, memory: 1, freeMemory: 1 };
    const result = { versions: { pid: String(process.pid) }, system, providers: [] };
    tell({ kind: 'answer', id, result });
  }
  if (method === 'validateDataset') process.exit(7);
  if (method === 'describeModel') {
    tell({ kind: 'event', name: 'reading', payload: { file: params.folder, rows: 5 } });
  }
});
`;

const clean = createCleaner();

function setUp(idleMs?: number) {
  const { log, lines } = keepLog();
  const script = writeProgram(fakePreview);
  const service = clean(
    createPreviewService({ script, log, ...(idleMs === undefined ? {} : { idleMs }) }),
  );
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
  const waiting = service.request('describeModel', { folder: 'x' }, { timeoutMs: 700 });
  await expect(waiting).rejects.toMatchObject({ code: 'RPC_TIMEOUT' });
  expect(isAlive(second)).toBe(true);
  await vi.waitFor(() => expect(isAlive(second)).toBe(false), 5000);
});

test('reading is told while it goes on', async () => {
  const { service } = setUp();
  const told: unknown[] = [];
  service.onReading((progress) => told.push(progress));
  const asked = service.request('describeModel', { folder: 'rows.jsonl' }, { timeoutMs: 3000 });
  asked.catch(() => undefined);
  await vi.waitFor(() => expect(told).toEqual([{ file: 'rows.jsonl', rows: 5 }]), 5000);
});
