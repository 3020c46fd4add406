/** Where the files of this package lie, whether it runs from src/ or, published, from the bundles in dist/. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const findRoot = (): string => {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
};

const root = findRoot();

/** A file of the package by its path from the package's root. */
export const packageFile = (path: string): string => join(root, path);

/** What Node starts, a process or a thread, by its path below src/ without extension. */
export const programFile = (path: string): string =>
  import.meta.filename.endsWith('.ts')
    ? join(root, 'src', `${path}.ts`)
    : join(root, 'dist', `${path}.js`);
