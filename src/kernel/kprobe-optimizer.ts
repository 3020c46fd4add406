import { readFileSync, writeFileSync } from 'node:fs';

const file = '/proc/sys/debug/kprobes-optimization';

/**
 * Stops the kernel from turning kprobes into jumps (kprobe_optimizer() in kernel/kprobes.c of 6.1) until what is returned is called: while
 * it does so it holds the lock that everybody needs who sets or removes one, over grace periods. Without it kprobes work all the
 * same, by breakpoints. Should this process be killed meanwhile, it stays off until somebody writes 1 there, and nothing is lost but
 * speed. undefined: it is off already, this kernel has none, or it cannot be stopped.
 */
export function pauseKprobeOptimizer(path = file): (() => void) | undefined {
  try {
    if (readFileSync(path, 'latin1').trim() !== '1') return undefined;
    writeFileSync(path, '0');
  } catch {
    return undefined;
  }
  let isPaused = true;
  const resume = (): void => {
    if (!isPaused) return;
    isPaused = false;
    process.off('exit', resume);
    writeFileSync(path, '1');
  };
  process.once('exit', resume);
  return resume;
}
