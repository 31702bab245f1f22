/** Errors as data and back: nothing that a person would read gets lost, whoever wrote the record. */
import { execFileSync } from 'node:child_process';
import { closeSync, readdirSync, readFileSync, rmdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CfsError, messageOf } from '../../../src/errors.js';
import { errorRecord, recordedError } from '../../../src/protocol/errorRecord.js';

const words = {
  message: 'The disk is full.',
  remedy: 'Free some space.',
  place: { file: 'a.jsonl', line: 3 },
};

it('keeps an error of ours as it is', () => {
  const error = new CfsError({ code: 'WRITE_FAILED', ...words });
  const record = errorRecord(error);
  expect(record).toEqual({ code: 'WRITE_FAILED', ...words });
  expect(recordedError(record)).toEqual(error);
});

it('keeps the code of another version where it can be read', () => {
  const error = recordedError({ code: 'DISK_TIRED', ...words });
  expect(error).toBeInstanceOf(CfsError);
  expect(error).toMatchObject({
    code: 'OTHER_VERSION',
    message: 'DISK_TIRED: The disk is full.',
    remedy: words.remedy,
    place: words.place,
  });
});

it('says in words what the system refused, and where', () => {
  const path = join(import.meta.dirname, 'nothing.json');
  const refused = [
    [() => readFileSync(path), 'there is no such file or folder'],
    [() => readFileSync(import.meta.dirname), 'it is a folder, not a file'],
    [() => readdirSync(import.meta.filename), 'a part of its path is not a folder'],
    [() => symlinkSync('x'.repeat(5000), path), 'its name is too long'],
    [() => rmdirSync(import.meta.dirname), 'the folder is not empty'],
    [() => closeSync(99_999), 'bad file descriptor'],
    [() => execFileSync('no-such-program'), 'there is no program “no-such-program”'],
  ] as const;
  for (const [action, words] of refused) {
    const error = thrownBy(action);
    expect(messageOf(error)).toBe(words);
    expect(errorRecord(error)).toMatchObject({ code: 'INTERNAL', message: words });
  }
  expect(errorRecord(thrownBy(refused[0][0])).place).toEqual({ file: path });
});

function thrownBy(action: () => unknown): unknown {
  try {
    return action();
  } catch (error) {
    return error;
  }
}

it('says of anything else thrown that it is a bug', () => {
  for (const thrown of [new TypeError('x is not a function'), 'x is not a function']) {
    const record = errorRecord(thrown);
    expect(record).toMatchObject({ code: 'INTERNAL', message: 'x is not a function', place: {} });
    expect(record.remedy).toContain('report it');
  }
});
