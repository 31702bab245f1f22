/**
 * Making HTML out of text that nobody has checked: samples are whatever a model wrote, names
 * whatever a person typed.
 */
import { visible } from '../text.js';

const entities = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&#39;'],
]);

/** `text` as HTML text or attribute value. */
export function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => entities.get(character) ?? character);
}

/** A value as JSON that may stand in a `<script>` element. */
export function jsonForScript(value: unknown): string {
  return visible(JSON.stringify(value)).replaceAll('<', '\\u003c');
}
