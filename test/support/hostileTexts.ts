/** Texts as somebody writes them who wants to be more than text: one table for every place of showing. */

export const hostileTexts = [
  '[Click](command:workbench.action.quit)',
  '[Click](https://example.org "title")',
  '![x](https://example.org/x.png) <img src=x onerror=alert(1)>',
  '</script><script>alert(1)</script><!--',
  '$(trash) $(sync~spin)',
  '\u001b]0;title\u0007\u001b[2J\u001b[31mred',
  '\u009b31m and \u0085',
  'evil\u202Egnp.exe\u2066',
  'a\u2028b\rc\u0000',
  '| a | b |\n| --- | --- |\n# heading\n- item\n```',
  '``` `code` ```` \\',
  'https://example.org www.example.org me@example.org *a* _b_ ~~c~~ &lt;',
  '__proto__',
];

/** What no place may pass on: it moves, colors, reorders or ends something. */
export const unseen = /(?![\n\t])[\p{Cc}\u061C\u200E\u200F\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;
