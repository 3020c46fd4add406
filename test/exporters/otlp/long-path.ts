import type { PacketPath } from '../../../src/event/packet-path.ts';
import { buildPath } from '../../fixtures/packet-path-parts.ts';
import { start } from '../../fixtures/scenery.ts';

/** A path of one life with many calls, each with a name of `nameBytes`. */
export const longPath = (calls: number, nameBytes = 10, id = 1000): PacketPath =>
  buildPath({
    lives: [
      {
        id,
        skb: 0xffff_8881_2000_0000n,
        start,
        calls: Array.from({ length: calls }, (_, index) => ({
          func: `f${index}_`.padEnd(nameBytes, 'x'),
          at: index * 50,
          lasts: 40,
        })),
      },
    ],
  });
