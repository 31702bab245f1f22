/**
 * Calls that let something of others in or out as it is: text on its way to a person, and files and
 * JSON on their way in. Each has one file that may use them (`eslint.config.js`), and there text of
 * others becomes text, and files of others get their limits.
 */

/** By place: a selector, and what to write instead. */
export const raw = {
  editor: [
    'showInformationMessage',
    'showWarningMessage',
    'showErrorMessage',
    'showQuickPick',
    'showInputBox',
    'createQuickPick',
    'createInputBox',
    'createStatusBarItem',
    'setStatusBarMessage',
    'createOutputChannel',
    'withProgress',
    'TreeItem',
    'MarkdownString',
    'Diagnostic',
  ].map((name) => [
    // Also taken out of `vscode.window` by its name; as a type it shows nothing.
    `:matches(MemberExpression > .property, Property > .key)[name='${name}']`,
    `Text of others must be no link and no icon: call the function of src/host/ui.ts instead of ${name}.`,
  ]),
  terminal: [
    [
      "MemberExpression[object.object.name='process'][object.property.name=/^std(out|err)$/][property.name='write']",
      'Text of others must not move the cursor: write through `Io` (src/cli/terminal.ts).',
    ],
  ],
  html: [
    [
      ':matches(MemberExpression > .property, Property > .key)[name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc|createContextualFragment|setHTMLUnsafe)$/]',
      'Text of others must be no HTML: use a lit-html template or textContent.',
    ],
    [
      "MemberExpression[object.name='document'][property.name=/^write/]",
      'Use a lit-html template.',
    ],
    [
      'Identifier[name=/^unsafe(HTML|SVG|MathML|Static)$/]',
      'Text of others must be no HTML: use a lit-html template or textContent.',
    ],
    [
      "AssignmentExpression[left.property.name='html']",
      'The HTML of a webview is set in src/host/pages/webview.ts, and for reports in src/host/reportView.ts.',
    ],
  ],
};
/** The setting of `no-restricted-syntax` that forbids these. */
export const restricted = (...lists) => [
  'error',
  ...lists.flat().map(([selector, message]) => ({ selector, message })),
];

const opening = 'A pipe or a device would never end: open and read files through src/reading.ts.';
/** The functions of Node.js that open a file; for `no-restricted-imports`. */
export const openings = [
  {
    name: 'node:fs',
    importNames: ['createReadStream', 'openSync', 'promises', 'read', 'readFile', 'readFileSync'],
    message: opening,
  },
  { name: 'node:fs/promises', importNames: ['open', 'readFile'], message: opening },
];
/** For `no-restricted-properties`. */
export const parsing = {
  object: 'JSON',
  property: 'parse',
  message: 'It takes keys that are there twice and any depth: call parseJson of src/json.ts.',
};
