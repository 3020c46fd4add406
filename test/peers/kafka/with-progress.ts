import { spawn } from 'node:child_process';

/**
 * Runs a program for as long as it gets on: it is killed when it has said nothing, on either output, for `idleMs`. Resolves with its
 * standard output; rejects with the end of what it said otherwise.
 */
export async function runWithProgress(
  command: string,
  words: readonly string[],
  { env, idleMs }: { readonly env: NodeJS.ProcessEnv; readonly idleMs: number },
): Promise<string> {
  const child = spawn(command, words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let told = '';
  let stuck = false;
  const timer = setTimeout(() => {
    stuck = true;
    child.kill('SIGKILL');
  }, idleMs);
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    timer.refresh();
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    timer.refresh();
    told = (told + text).slice(-4_000);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(output);
      else
        reject(
          new Error(`${stuck ? `nothing said for ${idleMs} ms` : `exit code ${code}`}: ${told}`),
        );
    });
  });
}
