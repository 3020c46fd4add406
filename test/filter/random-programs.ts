/** Valid classic BPF programs that no compiler would write: what the interpreter does with them is the law. */
import { type ClassicInstruction, memoryWords } from '../../src/filter/classic.ts';
import type { Random } from './packets.ts';

const load = { word: 0x00, half: 0x08, byte: 0x10 } as const;
const alu = [0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xa0] as const;
const divide = [0x30, 0x90] as const;
const shift = [0x60, 0x70] as const;

export function randomProgram(random: Random): ClassicInstruction[] {
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
  const plain = (code: number, k = 0): ClassicInstruction => ({ code, jt: 0, jf: 0, k });
  const anyNumber = (): number =>
    pick([0, 1, 2, 14, 255, random(2048), random(65536), 0x7fffffff, 0x80000000, 0xffffffff]);
  // Offsets around the end of a packet and of the 32 bits matter most.
  const offset = (): number =>
    random(30) === 0 ? anyNumber() : pick([random(16), random(64), random(80), random(400)]);

  const body = (left: number): ClassicInstruction => {
    switch (random(12)) {
      case 0:
      case 1:
      case 2:
        return plain(0x20 | pick(Object.values(load)), offset()); // A = packet[k]
      case 3:
        return plain(0x40 | pick(Object.values(load)), offset()); // A = packet[X + k]
      case 4:
        return pick([plain(0x01, offset()), plain(0xb1, offset())]); // X = k | X = 4 * (packet[k] & 15)
      case 5:
        return pick([plain(0x80), plain(0x81), plain(0x00, anyNumber())]); // A, X = length | A = k
      case 6:
        return plain(pick([0x60, 0x61, 0x02, 0x03]), random(memoryWords)); // memory
      case 7:
        return plain(pick([0x07, 0x87])); // X = A | A = X
      case 8:
      case 9: {
        const operation = pick(alu);
        if (random(8) === 0) return plain(0x84); // A = -A
        if (random(2) === 0) return plain(0x0c | operation); // by X
        if (shift.some((code) => code === operation)) return plain(0x04 | operation, random(32));
        const isDivision = divide.some((code) => code === operation);
        return plain(0x04 | operation, isDivision ? Math.max(1, anyNumber()) : anyNumber());
      }
      default: {
        const most = Math.min(left, 20);
        if (random(6) === 0) return plain(0x05, random(most));
        const jump = 0x05 | pick([0x10, 0x20, 0x30, 0x40]) | pick([0x00, 0x08]);
        return { code: jump, jt: random(most), jf: random(most), k: anyNumber() };
      }
    }
  };

  const length = 4 + random(60);
  const program: ClassicInstruction[] = [];
  // The interpreter does not clear its memory.
  for (let slot = 0; slot < memoryWords; slot++) program.push(plain(0x02, slot));
  for (let index = 0; index < length; index++) program.push(body(length - index));
  return [...program, pick([plain(0x06, 0), plain(0x06, 1), plain(0x16), plain(0x16)])];
}
