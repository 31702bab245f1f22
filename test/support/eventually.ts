/** Waiting inside the extension host, where vitest and its `expect.poll` are not. */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';

/** Resolves once `check` throws no more; rejects with what it threw last. */
export async function eventually(check: () => void, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof assert.AssertionError) || Date.now() > deadline) throw error;
    }
    await wait(50);
  }
}
