/** Many changes in a row are told once. */

export interface Soon {
  /** Runs the action within the given time, once for all calls until then. */
  (): void;
  /** Forgets a call that is still waiting. */
  cancel(): void;
}

export function createSoon(action: () => void, milliseconds: number): Soon {
  let timer: NodeJS.Timeout | undefined;
  const soon = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      action();
    }, milliseconds);
  };
  return Object.assign(soon, {
    cancel: () => {
      clearTimeout(timer);
      timer = undefined;
    },
  });
}
