import type { PacketPath } from '../event/packet-path.ts';

/** Bounds of one queue. Paths differ in size by a factor of a thousand, so their calls are counted too. */
export interface QueueLimits {
  readonly paths: number;
  readonly calls: number;
}

export interface PathQueue {
  readonly size: number;
  /** Takes what fits, in order, and gives the number of paths that did not. A path longer than the whole bound fits only an empty queue. */
  offer(paths: readonly PacketPath[]): number;
  /** The oldest paths, at most `count`. */
  take(count: number): readonly PacketPath[];
  /** Share of the bound in use, 0 to 1. */
  fill(): number;
}

const callsOf = (path: PacketPath): number =>
  path.lives.reduce((sum, life) => sum + life.calls.length, 0);

export function createPathQueue(limits: QueueLimits): PathQueue {
  const queued: PacketPath[] = [];
  let calls = 0;

  return {
    get size() {
      return queued.length;
    },
    offer(paths) {
      let refused = 0;
      for (const path of paths) {
        const more = callsOf(path);
        const fits =
          queued.length < limits.paths && (calls + more <= limits.calls || queued.length === 0);
        if (!fits) {
          refused++;
          continue;
        }
        queued.push(path);
        calls += more;
      }
      return refused;
    },
    take(count) {
      const taken = queued.splice(0, count);
      for (const path of taken) calls -= callsOf(path);
      return taken;
    },
    fill: () => Math.min(1, Math.max(queued.length / limits.paths, calls / limits.calls)),
  };
}
