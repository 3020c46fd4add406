/**
 * Random steps on the kernel's table of lives, and what a plain Map says of them. In a thread of its own too: then several CPUs are at
 * the table, each with addresses of its own, which share their homes with the others'.
 */
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { testRun } from '../../src/ffi/bpf-syscall.ts';
import { createRandom } from '../filter/packets.ts';

/** As in lives.bpf.c. */
export const step = {
  find: 0,
  begin: 1,
  die: 2,
  forget: 3,
  collect: 4,
  taken: 5,
  displaced: 6,
} as const;

export const run = (program: number, what: keyof typeof step, address = 0n): number =>
  testRun(program, BigUint64Array.of(BigInt(step[what]), address));

export interface Steps {
  readonly program: number;
  readonly seed: number;
  readonly count: number;
  readonly addresses: readonly bigint[];
  /** So many of them may live at once. */
  readonly lives: number;
  /** Nobody else is at the table: then a life begins if and only if there is a place, and the dead stay. */
  readonly alone: boolean;
}

export interface Taken {
  readonly wrong: readonly string[];
  readonly begun: number;
  /** There was a place, or one was just becoming free, and none was found. */
  readonly refused: number;
  /** At the end. */
  readonly living: number;
}

interface Life {
  readonly id: number;
  dying: boolean;
}

export function takeSteps({ program, seed, count, addresses, lives, alone }: Steps): Taken {
  const random = createRandom(seed);
  const table = new Map<bigint, Life>();
  const wrong: string[] = [];
  let [begun, refused] = [0, 0];
  for (let index = 0; index < count && wrong.length < 5; index++) {
    const address = addresses[random(addresses.length)] ?? 0n;
    const known = table.get(address);
    const found = run(program, 'find', address);
    const isCollected = found === 0 && known?.dying === true && !alone;
    if (found !== (known?.id ?? 0) && !isCollected)
      wrong.push(`step ${index}: ${address.toString(16)} has ${found}, not ${known?.id ?? 0}`);
    if (known === undefined || known.dying) {
      const isFull = known === undefined && table.size >= lives;
      if (isFull && !alone) continue;
      const id = run(program, 'begin', address);
      if (id !== 0) table.set(address, { id, dying: false });
      if (id !== 0) begun++;
      else if (!isFull) refused++;
      if (isFull && id !== 0) wrong.push(`step ${index}: a life too many`);
    } else if (random(2) === 0) {
      run(program, 'die', address);
      known.dying = true;
    } else {
      run(program, 'forget', address);
      table.delete(address);
    }
  }
  return { wrong, begun, refused, living: table.size };
}

if (!isMainThread) parentPort?.postMessage(takeSteps(workerData as Steps));
