/**
 * Small model folders and raw safetensors files for the tests of the file side of `model/`: what
 * a writer of ours would never produce has to be put together byte by byte.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import { CfsError } from '../../../src/errors.js';

const made: string[] = [];
afterAll(() => made.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A new empty folder that is removed after the test file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'cfs-model-'));
  made.push(folder);
  return folder;
}

/** The bytes of a safetensors file with this header (text or object) and this data. */
export function rawSafetensors(header: unknown, data: Uint8Array | number): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  const payload = typeof data === 'number' ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + json.length + payload.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(payload, 8 + json.length);
  return bytes;
}

/** Writes `files` (objects as JSON) into `folder`. */
export function writeFiles(folder: string, files: Record<string, unknown>): string {
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    const isRaw = typeof content === 'string' || content instanceof Uint8Array;
    writeFileSync(file, isRaw ? content : JSON.stringify(content));
  }
  return folder;
}

/** A tokenizer.json over single letters with one merge, a few special tokens and one plain one. */
export function letterTokenizer(extra: Record<string, unknown> = {}): Record<string, unknown> {
  const letters = [...'abcdefghijklmnopqrstuvwxyz<>/|.Ġ'];
  const specials = ['<unk>', '<s>', '</s>', '<|endoftext|>', '<pad>'];
  const vocab = [...specials, ...letters, 'ab', '@@'];
  return {
    version: '1.0',
    added_tokens: [
      ...specials.map((content, id) => ({ id, content, special: true, normalized: false })),
      { id: vocab.length - 1, content: '@@', special: false, normalized: false },
    ],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges: [['a', 'b']],
    },
    ...extra,
  };
}

/** The `CfsError` that `action` throws; anything else thrown, or nothing, fails the test. */
export function caught(action: () => unknown): CfsError {
  try {
    action();
  } catch (error) {
    if (error instanceof CfsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
