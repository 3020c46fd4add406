/** Packets of every kind that filters ask about, made anew from a seed: the same ones in every run. */

/** Numbers from 0 to below `limit`, by xorshift32. */
export type Random = (limit: number) => number;

export const createRandom = (seed: number): Random => {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
};

/** Bytes as captured, and the length on the wire. */
export interface Packet {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
}

const be16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const be32 = (value: number): number[] => [...be16(value >>> 16), ...be16(value)];

export function createPackets(count: number, seed: number): Packet[] {
  const random = createRandom(seed);
  const pick = <T>(choices: readonly T[]): T => choices[random(choices.length)] as T;
  const filler = (length: number): number[] =>
    random(4) === 0 ? new Array<number>(length).fill(0) : Array.from({ length }, () => random(256));

  const mac = (): number[] =>
    pick([[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], new Array<number>(6).fill(255), filler(6)]);
  const address = (): number[] =>
    pick([
      [10, 1, 0, 1],
      [10, 1, 0, 2],
      [192, 168, 7, 9],
      [224, 0, 0, 5],
      [10, 1, random(64), 1],
    ]);
  const address6 = (): number[] => [
    ...pick([
      [0xfd, 0, 0, 1],
      [0xfd, 0, 0, random(16)],
      [0xff, 2, 0, 0],
      [0xfe, 0x80, 0, 0],
    ]),
    ...new Array<number>(11).fill(0),
    pick([1, 2, 10, random(256)]),
  ];
  const port = (): number[] => be16(pick([80, 443, 53, 22, 0, 65535, random(300), random(65536)]));
  const payload = (): number[] =>
    random(5) === 0
      ? [...Buffer.from('GET / HTTP/1.1\r\n')]
      : filler(pick([0, 1, 8, 60, 300, 1460]));

  /** [number, bytes] of a transport header with what follows. */
  const transport = (version: 4 | 6): [number, number[]] => {
    switch (random(version === 4 ? 10 : 8)) {
      case 0:
      case 1:
      case 2: {
        const words = pick([5, 5, 8, 15]);
        const flags = pick([2, 18, 16, 24, 4, 1, random(256)]);
        const head = [...port(), ...port(), ...filler(8), words << 4, flags, ...filler(6)];
        return [6, [...head, ...filler((words - 5) * 4), ...payload()]];
      }
      case 3:
        return [17, [...port(), ...port(), ...be16(random(1500)), ...filler(2), ...payload()]];
      case 4: {
        const inner = ethernet(2);
        const geneve = [random(3), 0, ...be16(pick([0x6558, 0x0800])), ...be32(77 << 8)];
        const options = filler((geneve[0] ?? 0) * 4);
        return [17, [...port(), ...be16(6081), ...filler(4), ...geneve, ...options, ...inner]];
      }
      case 5:
        return [132, [...port(), ...port(), ...filler(8), ...payload()]];
      case 6:
        return version === 4
          ? [1, [pick([0, 3, 8, 11]), pick([0, 3]), ...filler(6), ...payload()]]
          : [58, [pick([128, 129, 135, 1]), 0, ...filler(6), ...payload()]];
      case 7:
        return [pick([9, 50, 51, 47, 4, 41, 89, 103, 112, 59]), [0x20, ...payload()]];
      case 8:
        return [2, [0x16, ...filler(7)]];
      default:
        return [random(256), payload()];
    }
  };

  const ipv4 = (): number[] => {
    const [protocol, body] = transport(4);
    const words = pick([5, 5, 5, 6, 15, random(16)]);
    const options = filler(Math.max(0, words - 5) * 4);
    const fragment = pick([0, 0, 0, 0x4000, 0x2000, 185, 0x2000 | random(0x2000)]);
    const length = 20 + options.length + body.length;
    return [
      (pick([4, 4, 4, 4, 4, random(16)]) << 4) | words,
      pick([0, 0, 0xb8, random(256)]),
      ...be16(length),
      ...be16(random(65536)),
      ...be16(fragment),
      pick([64, 255, 1, random(256)]),
      protocol,
      ...filler(2),
      ...address(),
      ...address(),
      ...options,
      ...body,
    ];
  };

  /** An IPv6 packet; often with extension headers, each of which says what follows. */
  const ipv6 = (): number[] => {
    let [next, body] = transport(6);
    for (let count = random(4) === 0 ? random(5) : 0; count > 0; count--) {
      const kind = pick([0, 43, 44, 51, 60]);
      const extra = pick([0, 0, 1, 2]);
      // An authentication header counts its length in words of 4 bytes, less 2; a fragment header has none.
      const bytes = kind === 44 ? 8 : 8 * (extra + 1);
      const length = kind === 51 ? bytes / 4 - 2 : kind === 44 ? 0 : extra;
      body = [next, length, ...filler(bytes - 2), ...body];
      next = kind;
    }
    const head = [0x60 | random(2), ...filler(3), ...be16(body.length), next, pick([64, 255, 1])];
    return [...head, ...address6(), ...address6(), ...body];
  };

  const arp = (): number[] => {
    const ends = [...mac(), ...address(), ...mac(), ...address()];
    return [0, 1, 8, 0, 6, 4, 0, pick([1, 2]), ...ends];
  };

  const mpls = (depth: number): number[] => {
    const bottom = depth === 0 || random(2) === 0;
    const label = be32(
      ((pick([100, 200, 1048575, random(1048576)]) << 12) | (bottom ? 0x100 : 0) | 64) >>> 0,
    );
    return [...label, ...(bottom ? pick([ipv4, ipv6])() : mpls(depth - 1))];
  };

  const llc = (): number[] => {
    const sap = pick([0x42, 0xe0, 0xf0, 0xaa, 0xfe, 0xfe, random(256)]);
    const head = [sap, sap, pick([0x03, 0x7f, 0xe3, 0xaf, 0x87, random(256)])];
    if (sap === 0xaa) return [...head, 0, 0, 0, ...be16(pick([0x809b, 0x80f3, 0x0800])), ...ipv4()];
    if (sap === 0xfe)
      return [...head, pick([0x81, 0x82, 0x83]), ...filler(3), 15 + random(13), ...filler(20)];
    return [...head, ...filler(40)];
  };

  function ethernet(depth: number): number[] {
    const ends = [...mac(), ...mac()];
    return [...ends, ...typed(depth)];
  }

  /** An ethertype and what it says follows. */
  function typed(depth: number): number[] {
    switch (random(depth > 0 ? 18 : 10)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        return [...be16(0x0800), ...ipv4()];
      case 5:
      case 6:
      case 7:
      case 8:
        return [...be16(0x86dd), ...ipv6()];
      case 9:
        return [...be16(pick([0x0806, 0x8035])), ...arp()];
      case 10:
      case 11: {
        const tag = be16(pick([7, 8, 4095, 0x2007, random(65536)]));
        return [...be16(pick([0x8100, 0x8100, 0x88a8, 0x9100])), ...tag, ...typed(depth - 1)];
      }
      case 12:
        return [...be16(0x8847), ...mpls(3)];
      case 13: {
        const session = be16(pick([0x27, random(65536)]));
        const ip = random(2) === 0;
        const body = ip ? [0x00, 0x21, ...ipv4()] : [0x00, 0x57, ...ipv6()];
        const type = be16(pick([0x8864, 0x8864, 0x8863]));
        return [...type, 0x11, 0, ...session, ...be16(body.length), ...body];
      }
      case 14:
      case 15: {
        const body = llc();
        return [...be16(body.length), ...body];
      }
      default: {
        const others = [
          0x88cc, 0x6001, 0x6002, 0x6003, 0x6004, 0x6007, 0x809b, 0x80f3, 0x8137, 0x22f3,
        ];
        return [...be16(pick([...others, random(65536)])), ...filler(50)];
      }
    }
  }

  return Array.from({ length: count }, (_, index) => {
    const whole = index % 20 === 19 ? filler(random(200)) : ethernet(3);
    const cut = index % 7 === 6 ? random(whole.length + 1) : whole.length;
    return { bytes: Uint8Array.from(whole.slice(0, cut)), wireLength: whole.length };
  });
}
