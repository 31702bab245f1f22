/**
 * YAML as people write it, read in one place: whatever is wrong with it comes back with its line, and
 * the library says nothing to the terminal by itself.
 */
import { LineCounter, parseDocument, type Document } from 'yaml';
import { messageOf } from './errors.js';

export interface YamlFault {
  message: string;
  /** From 1. */
  line: number;
  column: number;
}

export interface YamlText {
  document: Document.Parsed;
  lines: LineCounter;
  /** Plain data; undefined where there are faults. */
  content: unknown;
  faults: YamlFault[];
}

export function parseYaml(text: string): YamlText {
  const lines = new LineCounter();
  // Its warnings would go to the terminal as they are, with the text of the file in them.
  const options = { lineCounter: lines, prettyErrors: false, logLevel: 'error' } as const;
  const document = parseDocument(text, options);
  const faults = document.errors.map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { message: error.message, line, column: col };
  });
  if (faults.length > 0) return { document, lines, content: undefined, faults };
  try {
    return { document, lines, content: document.toJS(), faults };
  } catch (error) {
    // Aliases are followed only here: one of nothing, or too many of them.
    const faults = [{ message: messageOf(error), line: 1, column: 1 }];
    return { document, lines, content: undefined, faults };
  }
}
