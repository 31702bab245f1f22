/**
 * Marks what was searched for in the texts on the screen. A hit may begin in one token and end in
 * another, so it is painted over the page's text and changes none of its elements.
 */
import { hitsIn } from './text.js';

/** Paints the hits in all `.text` of the list, and no longer those of last time. */
export function createHitMarks(list: HTMLElement): (wanted: string) => void {
  const marks = new Highlight();
  CSS.highlights.set('hit', marks);
  return (wanted) => {
    marks.clear();
    if (wanted === '') return;
    for (const text of list.querySelectorAll('.text')) {
      for (const range of hitRanges(text, wanted)) marks.add(range);
    }
  };
}

function hitRanges(element: Element, wanted: string): Range[] {
  const hits = hitsIn(element.textContent, wanted);
  if (hits.length === 0) return [];
  const pieces: { node: Text; start: number }[] = [];
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let length = 0;
  for (let node = walker.nextNode(); node instanceof Text; node = walker.nextNode()) {
    pieces.push({ node, start: length });
    length += node.data.length;
  }
  return hits.flatMap((hit) => {
    const first = pieces.findLast(({ start }) => start <= hit);
    const last = pieces.findLast(({ start }) => start < hit + wanted.length);
    if (!first || !last) return [];
    const range = document.createRange();
    range.setStart(first.node, hit - first.start);
    range.setEnd(last.node, hit + wanted.length - last.start);
    return [range];
  });
}
