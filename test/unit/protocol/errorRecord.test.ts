/** Errors as data and back: nothing that a person would read gets lost, whoever wrote the record. */
import { expect, it } from 'vitest';
import { CfsError } from '../../../src/errors.js';
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

it('says of anything else thrown that it is a bug', () => {
  for (const thrown of [new TypeError('x is not a function'), 'x is not a function']) {
    const record = errorRecord(thrown);
    expect(record).toMatchObject({ code: 'INTERNAL', message: 'x is not a function', place: {} });
    expect(record.remedy).toContain('report it');
  }
});
