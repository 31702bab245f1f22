/**
 * How smoothly a page draws: the time between two animation frames, at rest, while something happens
 * and while its list is scrolled.
 */
import type { Frame, Page } from 'playwright-core';

/** Starts to measure; the result ends it with the longest time between two frames, in ms. */
export async function watchFrames(page: Page): Promise<() => Promise<number>> {
  const watch = await page.evaluateHandle(() => {
    const state = { longest: 0, ended: false };
    let before = performance.now();
    const next = (): void => {
      const now = performance.now();
      state.longest = Math.max(state.longest, now - before);
      before = now;
      if (!state.ended) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
    return state;
  });
  return () =>
    watch.evaluate((state) => {
      state.ended = true;
      return state.longest;
    });
}

export interface Scrolling {
  /** Milliseconds between two frames at most: while it rests, and while it is scrolled. */
  idle: number;
  longest: number;
  /** How many of `frames` took longer than 100 ms. */
  late: number;
  frames: number;
}

/** Scrolls on by `step` pixels each frame, and every 30th frame by `leap`; from the top. */
export function scrollFrames(
  frame: Frame | Page,
  { step, leap, frames }: { step: number; leap: number; frames: number },
): Promise<Scrolling> {
  return frame.evaluate(
    async ({ step, leap, frames }) => {
      const scroller = document.querySelector('.scroller');
      if (!scroller) throw new Error('no scroller');
      scroller.scrollTop = 0;
      const drawn = (): Promise<number> => new Promise((done) => requestAnimationFrame(done));
      const measure = async (each: (at: number) => void): Promise<number[]> => {
        const times: number[] = [];
        let before = await drawn();
        for (let at = 0; at < frames; at++) {
          each(at);
          const now = await drawn();
          times.push(now - before);
          before = now;
        }
        return times;
      };
      const rest = await measure(() => undefined);
      const moving = await measure((at) => {
        scroller.scrollTop += at % 30 === 29 ? leap : step;
      });
      return {
        idle: Math.max(...rest),
        longest: Math.max(...moving),
        late: moving.filter((time) => time > 100).length,
        frames,
      };
    },
    { step, leap, frames },
  );
}
