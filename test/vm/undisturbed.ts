import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';

const RUNS = 5;
const TRACING = '/sys/kernel/tracing';
const GROUP = 'undisturbed';

/** On a packet's way from a socket to the next namespace. */
const WATCHED = [
  ...['__tcp_transmit_skb', 'ip_output', '__dev_queue_xmit', 'dev_hard_start_xmit', 'veth_xmit'],
  ...['netif_rx_internal', 'enqueue_to_backlog', 'ip_rcv', 'tcp_v4_rcv'],
];

/** How many probe hits the kernel skipped in the last trace that wrote its paths into this folder, by skbspan's own count. */
export function skipped(folder: string): number {
  const file = join(folder, 'paths.jsonl');
  if (!existsSync(file)) return 0;
  const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  return Number(/"recursion":(\d+)/.exec(last)?.[1] ?? 0);
}

/**
 * What single kprobes missed, by the kernel's word: before 6.7 it tells only those who have put theirs there by tracefs. A second
 * kprobe on a function misses what the first one does.
 */
const missed = (): number =>
  Array.from(
    readFileSync(join(TRACING, 'kprobe_profile'), 'utf8').matchAll(/^\s*\S+\s+\d+\s+(\d+)$/gm),
    ([, count]) => Number(count),
  ).reduce((sum, count) => sum + count, 0);

function watchMisses(): void {
  for (const func of WATCHED)
    writeFileSync(join(TRACING, 'kprobe_events'), `p:${GROUP}/${func} ${func}`, { flag: 'a' });
  writeFileSync(join(TRACING, `events/${GROUP}/enable`), '1');
}

function endWatch(): void {
  const enable = join(TRACING, `events/${GROUP}/enable`);
  if (!existsSync(enable)) return;
  writeFileSync(enable, '0');
  writeFileSync(join(TRACING, 'kprobe_events'), '');
}

/**
 * Runs what traces until nothing was skipped, at most five times: an interrupt in the midst of a probe may bring other probes, which
 * the kernel does not run. skbspan says so where the kernel tells, and such a run shows nothing. Records how many it took as `runs`.
 * What single kprobes miss is asked only if the run does not use kprobes of tracefs itself (`watches`).
 */
export async function undisturbed(
  lab: Lab,
  run: () => Promise<void>,
  { watches = false } = {},
): Promise<void> {
  const asks = watches && lab.backend === 'kprobe';
  for (let runs = 1; runs <= RUNS; runs += 1) {
    if (asks) watchMisses();
    let misses = 0;
    try {
      await run();
      misses = skipped(lab.folder) + (asks ? missed() : 0);
    } finally {
      if (asks) endWatch();
    }
    lab.record('runs', runs);
    lab.record('missed', misses);
    if (misses === 0) return;
  }
}
