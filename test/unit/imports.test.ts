/**
 * No file may need itself, not even for a type: a reader would have to know both to understand
 * either. ESLint's rule for this passes over imports of types.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';

type Imports = ReadonlyMap<string, readonly string[]>;

function sourcesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
}

/** The files that each file imports, types included. */
function importsOf(files: readonly string[]): Imports {
  return new Map(
    files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'));
      const own = importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
      return [file, own.map(({ fileName }) => join(dirname(file), fileName).replace(/js$/, 'ts'))];
    }),
  );
}

/** One circle for each file where a search comes back to a file that it is still in. */
function circles(imports: Imports): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...path, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  return found;
}

it('finds circles', () => {
  const imports = new Map([
    ['a', ['b', 'c']],
    ['b', ['d']],
    ['c', ['d']],
    ['d', ['b']],
  ]);
  expect(circles(imports)).toEqual(['b → d → b']);
});

it('no file imports itself by way of others', () => {
  const imports = importsOf(['src', 'webview-ui'].flatMap(sourcesIn));
  expect(imports.get(join('src', 'extension.ts'))).toContain(join('src', 'host', 'untrusted.ts'));
  expect(circles(imports)).toEqual([]);
});
