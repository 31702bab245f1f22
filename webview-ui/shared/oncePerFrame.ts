/** Drawing is asked for many times between two frames and is worth doing once. */

/** Returns what asks for `draw` at the next frame, however often it is called until then. */
export function oncePerFrame(draw: () => void): () => void {
  let isPlanned = false;
  return () => {
    if (isPlanned) return;
    isPlanned = true;
    requestAnimationFrame(() => {
      isPlanned = false;
      draw();
    });
  };
}
