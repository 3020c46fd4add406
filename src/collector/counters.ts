import { counter } from '../event/layout.ts';
import type { LossCause } from '../event/statistics.ts';
import { type BpfObject, possibleCpus } from '../ffi/libbpf.ts';
import { isBirth } from './return-probes.ts';

/** What the kernel side has counted so far, all CPUs added up. */
export interface KernelCounters {
  readonly lives: number;
  readonly losses: ReadonlyMap<LossCause, number>;
}

const losses = [
  ['ring_full', counter.lostRingFull],
  ['lives_full', counter.lostLivesFull],
  ['lives_busy', counter.lostLivesBusy],
  ['calls_full', counter.lostCallsFull],
  ['links', counter.lostLinks],
  ['context', counter.lostContext],
  ['reused', counter.reused],
  ['unreadable', counter.unreadable],
  ['list_members', counter.lostMembers],
] as const satisfies readonly (readonly [LossCause, number])[];

/** Reads the `counters` map (bpf/maps.h) and the loaded programs' own count of skipped runs. */
export function readKernelCounters(
  object: BpfObject,
  loadedPrograms: readonly string[],
): KernelCounters {
  const map = object.map('counters');
  const cpus = possibleCpus();
  const key = new Uint8Array(4);
  const read = (slot: number): number => {
    new DataView(key.buffer).setUint32(0, slot, true);
    const value = map.lookup(key, cpus * 8);
    if (value === undefined) return 0;
    // A count of records stays below 2^53 for centuries.
    return new BigUint64Array(value.buffer, value.byteOffset, cpus).reduce(
      (sum, one) => sum + Number(one),
      0,
    );
  };
  let recursion = 0n;
  for (const name of loadedPrograms) {
    // Runs at every slab object freed, of which few are packets, and interrupts free some while it runs: its twin takes those.
    // A packet's end missed by both comes out as `reused`.
    if (isBirth(name)) continue;
    // And what the programs themselves do to maps comes by the probes of maps.
    if (name.startsWith('tp_kmem_cache_free') || name === 'enter_map' || name === 'leave_map')
      continue;
    recursion += object.program(name).recursionMisses();
  }
  return {
    lives: read(counter.lives),
    losses: new Map<LossCause, number>([
      ...losses.map(([cause, slot]) => [cause, read(slot)] as const),
      ['recursion', Number(recursion)],
    ]),
  };
}
