/**
 * A process that races others for many locks: told `go`, it tries to take every one of them, and told
 * `count`, it answers which it still holds.
 */
import { CfsError } from '../../src/errors.js';
import { takeLock, type Lock } from '../../src/runs/lock.js';

const files = process.argv.slice(2);
const held = new Map<string, Lock>();

process.on('message', (message) => {
  if (message === 'go') {
    for (const file of files) tryTaking(file);
    process.send?.([]);
  } else {
    const still = [...held].filter(([, lock]) => isSound(lock)).map(([file]) => file);
    process.send?.(still, () => process.exit());
  }
});
process.send?.([]);

function tryTaking(file: string): void {
  const lock = unless('RUN_LOCKED', () => takeLock(file));
  if (lock) held.set(file, lock);
}

function isSound(lock: Lock): boolean {
  return unless('RUN_LOCK_LOST', () => (lock.check(), true)) ?? false;
}

function unless<T>(code: string, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof CfsError && error.code === code) return undefined;
    throw error;
  }
}
