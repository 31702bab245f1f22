/** The VSIX that the end-to-end tests install: of `npm run package`, or in the folder `CFS_VSIX`. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export function packagedExtension(): string {
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    name: string;
    version: string;
  };
  const target = `${process.platform}-${process.arch}`;
  const folder = process.env.CFS_VSIX ?? join('.cfs', 'vsix');
  const file = resolve(join(folder, `${name}-${version}-${target}.vsix`));
  if (!existsSync(file)) throw new Error('Make the package first: npm run package');
  return file;
}
