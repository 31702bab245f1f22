/** The VSIX that the end-to-end tests install, made by `npm run package` before them. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export function packagedExtension(): string {
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    name: string;
    version: string;
  };
  const target = `${process.platform}-${process.arch}`;
  const file = resolve(join('.cfs', 'vsix', `${name}-${version}-${target}.vsix`));
  if (!existsSync(file)) throw new Error('Make the package first: npm run package');
  return file;
}
