// Lint rules. The `zones` below are the walls of docs/architecture.md: who may import whom.
import js from '@eslint/js';
import importX from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import tseslint from 'typescript-eslint';
import { outsideNames } from './scripts/lint/outsideNames.js';
import { openings, parsing, raw, restricted } from './scripts/lint/rawCalls.js';

/** For each room under src/, the rooms it may import besides itself and `errors.ts`. */
const allowed = {
  protocol: [],
  graph: [],
  runtime: ['protocol', 'graph'],
  model: ['protocol', 'graph', 'runtime'],
  generator: ['protocol', 'model', 'graph', 'runtime'],
  mixer: ['protocol', 'model'],
  // Only types of them, so that pages can read what methods say of themselves.
  methods: ['graph', 'mixer'],
  trainer: ['protocol', 'methods', 'mixer', 'model', 'graph', 'runtime'],
  evaluator: ['protocol', 'model', 'graph', 'runtime'],
  runs: ['protocol', 'methods'],
  engine: [
    'protocol',
    'runs',
    'generator',
    'mixer',
    'methods',
    'trainer',
    'evaluator',
    'model',
    'graph',
    'runtime',
  ],
  host: ['runs', 'protocol', 'methods'],
  cli: ['engine', 'protocol', 'runs', 'model', 'runtime', 'mixer', 'generator', 'evaluator'],
};
/** What pages may import. */
const pageRooms = ['protocol', 'methods'];
const rooms = Object.keys(allowed);
const zones = rooms
  .map((room) => ({
    target: `./src/${room}`,
    from: rooms.filter((r) => r !== room && !allowed[room].includes(r)).map((r) => `./src/${r}`),
    message: `src/${room} may import only: ${['the files of src/', ...allowed[room]].join(', ')}.`,
  }))
  .filter((zone) => zone.from.length > 0)
  .concat({
    target: './webview-ui',
    from: rooms.filter((room) => !pageRooms.includes(room)).map((room) => `./src/${room}`),
    message: 'webview-ui may import only src/protocol, src/methods and src/errors.ts.',
  });

export default tseslint.config(
  { ignores: ['dist', 'node_modules', '.cfs'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      'max-lines': ['error', { max: 450, skipBlankLines: true, skipComments: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      eqeqeq: 'error',
    },
  },
  {
    // Everything that knows the editor is in one place.
    files: ['src/**', 'scripts/**', 'bench/**'],
    ignores: ['src/host/**', 'src/extension.ts'],
    rules: { 'no-restricted-imports': ['error', 'vscode'] },
  },
  {
    files: ['src/**/*.ts', 'webview-ui/**/*.ts'],
    plugins: { cfs: { rules: { 'outside-names': outsideNames } } },
    rules: { 'cfs/outside-names': 'error' },
  },
  { files: ['src/**'], rules: { 'no-console': 'error' } },
  {
    // What is read from outside comes through `reading.ts` and `json.ts`, which know its limits.
    files: ['src/**/*.ts'],
    ignores: ['src/reading.ts', 'src/json.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': ['error', { paths: openings }],
      'no-restricted-properties': ['error', parsing],
    },
  },
  {
    // These open what they write, or read what is part of the program.
    files: ['src/files.ts', 'src/runs/jsonLines.ts', 'src/runs/reportAssets.ts', 'src/touch.ts'],
    rules: { '@typescript-eslint/no-restricted-imports': 'off' },
  },
  {
    files: ['src/**', 'webview-ui/**'],
    rules: { 'no-restricted-syntax': restricted(raw.editor, raw.terminal, raw.html) },
  },
  {
    files: ['src/host/ui.ts'],
    rules: { 'no-restricted-syntax': restricted(raw.terminal, raw.html) },
  },
  {
    // The one place of the terminal; the preview process writes to the host's log.
    files: ['src/cli/terminal.ts', 'src/engine/preview/main.ts'],
    rules: { 'no-restricted-syntax': restricted(raw.editor, raw.html) },
  },
  {
    files: ['src/host/pages/webview.ts', 'src/host/reportView.ts'],
    rules: { 'no-restricted-syntax': restricted(raw.editor, raw.terminal, raw.html.slice(0, -1)) },
  },
  {
    files: ['src/methods/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['../**'],
              allowTypeImports: true,
              message: 'A method imports other rooms as types only: pages read it too.',
            },
          ],
        },
      ],
    },
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
);
