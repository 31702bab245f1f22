/**
 * What a command writes, on its way to the terminal: the one place from which it leaves, so that text
 * of others (a name in a cloned repository, a token, a path) never moves the cursor or colors a line.
 */
import { writeSync } from 'node:fs';
import { isatty, WriteStream } from 'node:tty';
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

const toStdout = (text: string): void => void process.stdout.write(text);

/** Of this process. */
export const processTerminal = createTerminal({
  out: toStdout,
  err: (text) => void process.stderr.write(text),
});

/** Of this process where its stderr is not the terminal's, which is this descriptor instead. */
export function terminalWithStderr(descriptor: number): Terminal {
  return createTerminal({ out: toStdout, err: writerOf(descriptor) });
}

/** Writes at once, as Node does to stderr. */
function writerOf(descriptor: number): (text: string) => void {
  if (isatty(descriptor)) {
    const stream = new WriteStream(descriptor);
    // A terminal that was closed must not end a training run.
    stream.on('error', () => undefined);
    return (text) => void stream.write(text);
  }
  return (text) => {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length;) {
      try {
        written += writeSync(descriptor, bytes, written);
      } catch (error) {
        // A pipe whose reader is slow; anything else is a reader that went away.
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  };
}
