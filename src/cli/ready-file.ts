import { rename, writeFile } from 'node:fs/promises';
import { SkbspanError } from '../errors.ts';

/**
 * Creates `path` with this process's id in it, complete from its first moment on: written under another name and renamed.
 * Throws SKBSPAN_OUTPUT if it can't.
 */
export async function writeReadyFile(path: string): Promise<void> {
  const writing = `${path}.${process.pid}`;
  try {
    await writeFile(writing, `${process.pid}\n`);
    await rename(writing, path);
  } catch (error) {
    throw new SkbspanError('SKBSPAN_OUTPUT', `cannot create the ready file ${path}`, {
      advice: 'Choose a path in a directory that exists and may be written to.',
      cause: error,
    });
  }
}
