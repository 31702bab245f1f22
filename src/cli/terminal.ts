/**
 * What a command writes, on its way to the terminal: the one place from which it leaves, so that text
 * of others (a name in a cloned repository, a token, a path) never moves the cursor or colors a line.
 */
import { visible, visibleLine } from '../text.js';

/** Where the text goes in the end, as it is. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Puts `text` in place of the line that the cursor is on; the empty text removes it. */
  redraw(text: string): void;
}

export function createTerminal(streams: Streams): Terminal {
  return {
    // JSON lines pass through here too: escaped, they stand for the same.
    out: (text) => streams.out(visible(text)),
    err: (text) => streams.err(visible(text)),
    redraw: (text) => streams.out(`\r\u001b[K${visibleLine(text)}`),
  };
}

/** Of this process. */
export const processTerminal = createTerminal({
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
});
