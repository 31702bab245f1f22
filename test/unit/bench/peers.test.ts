/** The seams to the peers, without any peer: framing, failure, and being skipped by name. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  createAnswerReader,
  isSkipped,
  startLineProcess,
} from '../../../bench/peers/lineProcess.js';
import type { Answer, LineProcess } from '../../../bench/peers/lineProcess.js';
import { startLlamaCpp } from '../../../bench/peers/llamaCpp.js';
import { findPython, pythonCandidates } from '../../../bench/peers/python.js';
import { toJsonLine } from '../../../bench/peers/trlSft.js';

const folder = mkdtempSync(join(tmpdir(), 'cfs-peers-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const peer = join(folder, 'peer.mjs');
writeFileSync(
  peer,
  `import { createInterface } from 'node:readline';
   for await (const line of createInterface({ input: process.stdin })) {
     const { id, command, value } = JSON.parse(line);
     const answer = (rest) => process.stdout.write(JSON.stringify({ id, ...rest }) + '\\n');
     if (command === 'double') answer({ ok: true, result: value * 2 });
     if (command === 'refuse') answer({ ok: false, error: 'no ' + value });
     if (command === 'chatter') process.stdout.write('hello\\n');
     if (command === 'die') { process.stderr.write('out of luck'); process.exit(3); }
     if (command === 'quit') process.exit(0);
   }`,
);

async function withPeer(use: (peer: LineProcess) => Promise<void>): Promise<void> {
  const started = startLineProcess('Peer', process.execPath, [peer]);
  try {
    await use(started);
  } finally {
    await started.stop();
  }
}

describe('reading answers', () => {
  it('joins lines that come in pieces and splits pieces that hold several', () => {
    const answers: Answer[] = [];
    const read = createAnswerReader((answer) => answers.push(answer));
    read('{"id":1,"ok":true,"re');
    expect(answers).toEqual([]);
    read('sult":{"a":2}}\n{"id":2,"ok":false,"error":"é"}\n\n{"id":3');
    expect(answers).toEqual([
      { id: 1, ok: true, result: { a: 2 } },
      { id: 2, ok: false, error: 'é' },
    ]);
  });

  it('rejects a line that is not an answer', () => {
    const read = createAnswerReader(() => undefined);
    expect(() => read('loading…\n')).toThrow('not JSON: loading…');
    expect(() => read('{"id":1}\n')).toThrow();
  });
});

describe('a peer in a process', () => {
  it('answers one request after another', async () => {
    await withPeer(async ({ request }) => {
      expect(await request('double', { value: 4 }, z.number(), 20)).toBe(8);
      await expect(request('refuse', { value: 'luck' }, z.number(), 20)).rejects.toThrow(
        'Peer: no luck',
      );
      expect(await request('double', { value: 5 }, z.number(), 20)).toBe(10);
    });
  });

  it('checks what it answers', async () => {
    await withPeer(async ({ request }) => {
      await expect(request('double', { value: 4 }, z.string(), 20)).rejects.toThrow('string');
    });
  });

  it('that dies says so with the end of its stderr, and answers no more', async () => {
    await withPeer(async ({ request }) => {
      await expect(request('die', {}, z.number(), 20)).rejects.toThrow(
        'Peer: ended (exit code 3)\nout of luck',
      );
      await expect(request('double', { value: 1 }, z.number(), 20)).rejects.toThrow('ended');
    });
  });

  it('that chatters on stdout, or keeps silent, is stopped', async () => {
    await withPeer(async ({ request }) => {
      await expect(request('chatter', {}, z.number(), 20)).rejects.toThrow('not JSON: hello');
    });
    await withPeer(async ({ request }) => {
      await expect(request('sleep', {}, z.number(), 0.2)).rejects.toThrow(
        "no answer to 'sleep' within 0.2 s",
      );
    });
  });

  it('that cannot be started says why', async () => {
    const { request } = startLineProcess('Peer', join(folder, 'nothing'), []);
    await expect(request('double', { value: 1 }, z.number(), 20)).rejects.toThrow('ENOENT');
  });
});

describe('peers that this machine lacks', () => {
  it('a Python that does not start is skipped by name', () => {
    const found = findPython(['torch'], [join(folder, 'python-none')]);
    expect(isSkipped(found) && found.skipped).toMatch(
      /^no Python with torch \(.*python-none: .*ENOENT\): run bench\/peers\/install\.sh/,
    );
  });

  it('CFS_PEER_PYTHON is the only candidate when it is set', () => {
    expect(pythonCandidates({ CFS_PEER_PYTHON: 'mine' })).toEqual(['mine']);
    expect(pythonCandidates({}).at(-1)).toBe('python3');
  });

  it.each(['native', 'node'] as const)('llama.cpp (%s) is skipped by name', (form) => {
    const at = { package: join(folder, 'x'), program: join(folder, 'y'), libraries: folder };
    expect(startLlamaCpp(form, at)).toEqual({
      skipped: `llama.cpp (${form}) is not installed: run bench/peers/installLlamaCpp.sh`,
    });
  });
});

describe('rows for TRL', () => {
  it('carry −100 where a token is no target', () => {
    const row = { ids: Int32Array.of(1, 7, 8), supervised: Uint8Array.of(0, 0, 1) };
    expect(toJsonLine(row)).toBe('{"input_ids":[1,7,8],"labels":[-100,-100,8]}\n');
  });
});
