/** What every error that a user may meet owes them: its code, and words on what to do. */
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/errorCodes.js';
import { CfsError } from '../../src/errors.js';

/** Asserts that `action` throws or rejects with a complete `CfsError` of this code; resolves to it. */
export async function expectError(code: ErrorCode, action: () => unknown): Promise<CfsError> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    expect(error.code, error.message).toBe(code);
    expect(error.message).toMatch(/\S{3}/);
    expect(error.remedy).toMatch(/^[A-Z].*\.$/s);
    return error;
  }
  return expect.fail(`${code} was not thrown`);
}
