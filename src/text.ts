/**
 * Text from outside (names, paths, tokens, messages of other programs) on its way to a person. Each
 * place that text is shown in takes some characters for commands; here they become text again. What
 * is for HTML is in `runs/html.ts`, what is for the editor in `host/ui.ts`, for a terminal in
 * `cli/terminal.ts`; each of them starts from `visible`.
 */

/** Controls, and marks that turn the direction of the text around them. */
const unseen = /[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/**
 * `text` with characters that move a cursor, color a terminal or reorder a line written out, as in
 * `\u001b`; line ends and tabs stay. In JSON this is what it stands for.
 */
export function visible(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(unseen, (sign) => (sign === '\n' || sign === '\t' ? sign : escaped(sign)));
}

/** The same for a place that has one line. */
export function visibleLine(text: string): string {
  return text.replace(unseen, escaped);
}

/** The beginning of a text that may be long, for a message. */
export function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** `text` whose further lines are set off, so that none of them passes for a line of ours. */
export function setOff(text: string): string {
  return text.replace(/\n(?=\S)/g, '\n    ');
}

/** `text` for a line of Markdown: every sign that could begin markup, HTML or a link is escaped. */
export function markdownText(text: string): string {
  return visibleLine(text.replace(/\s+/g, ' ').trim())
    .replace(/[\\`*_~[\]<>&|$#@!]/g, '\\$&')
    .replaceAll('://', '\\://')
    .replace(/\bwww\./gi, (start) => start.replace('.', '\\.'));
}

/** `text` as code in a line of Markdown. */
export function markdownCode(text: string): string {
  const line = visibleLine(text.replace(/\s+/g, ' ').trim());
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const space = line === '' || longest > 0 ? ' ' : '';
  return fence + space + line + space + fence;
}

function escaped(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
