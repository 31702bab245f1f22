/**
 * An event source that fits `vscode.Event` without needing the editor, so that what knows runs and
 * processes can be tested by itself.
 */
import type * as vscode from 'vscode';

export interface Emitter<T> extends vscode.Disposable {
  event: vscode.Event<T>;
  fire(value: T): void;
}

export function createEmitter<T>(): Emitter<T> {
  const listeners = new Set<(value: T) => void>();
  return {
    event: (listener, self?: unknown, disposables?: vscode.Disposable[]) => {
      // A wrapper of its own for each call: the same function may listen twice.
      const listen = (value: T): void => {
        listener.call(self, value);
      };
      listeners.add(listen);
      const subscription = { dispose: () => void listeners.delete(listen) };
      disposables?.push(subscription);
      return subscription;
    },
    fire: (value) => {
      for (const listen of [...listeners]) listen(value);
    },
    dispose: () => listeners.clear(),
  };
}
