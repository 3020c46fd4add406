import { spawn } from 'node:child_process';

/**
 * Lets another process close files in our place, where closing takes the kernel long: it removes single kprobes one after the
 * other, a tenth of a second each, and even a process that is killed is not gone before.
 *
 * The other process is a shell that inherits the files and waits for the end of its input. Once it has them, our own closing
 * is quick, for ours are not the last ones; then its input ends, it exits, and the kernel does the slow part on its time. It is
 * in a session of its own, so that neither Ctrl-C nor the end of the terminal reaches it. It holds nothing else, and nobody
 * waits for it.
 */
export interface HandedOver {
  readonly pid: number;
  /** To be called when all of ours are closed: from here on the other process goes. */
  finish(): void;
}

/** undefined: no process could be started; the files are still the caller's alone. */
export function handOver(files: readonly number[]): HandedOver | undefined {
  try {
    const child = spawn('/bin/sh', ['-c', 'read -r _'], {
      cwd: '/',
      env: {},
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore', ...files],
    });
    // What fails later (no such shell) only means that the files are closed here.
    child.on('error', () => undefined);
    child.unref();
    if (child.pid === undefined) return undefined;
    return {
      pid: child.pid,
      finish: () => {
        child.stdin?.destroy();
      },
    };
  } catch {
    return undefined;
  }
}
