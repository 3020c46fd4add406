/**
 * Which expressions say the same of a packet whether its Ethernet header counts or not (WINDOW_EITHER in bpf/filter.h).
 *
 * Whether a header before IP counts is told by the device, and to read that of an skb costs an older kernel more than the rest of the
 * filter. Most expressions need not know: `tcp port 9` asks the Ethernet header for nothing but the type. libpcap compiles an
 * expression once for packets from the Ethernet header on, and once for packets from IP on. If the type says IP, and so does the
 * version behind it, both programs must do the same from there on, 14 bytes apart.
 *
 * This is found out, not assumed: both programs are walked at the same time, by every way that a packet of one version can take.
 * Where they ask for type or version, the answer is known, and they go on each by itself. Everything else must be the same
 * instruction, on registers and memory with the same contents, whose loads are 14 bytes apart. One difference (the length, an
 * address of Ethernet, a tag, code that libpcap arranged otherwise), and the answer is no, which only costs time.
 */
import { etherType, versionBits } from './either-check.ts';
import { type Place, type Program, skipKnown, step } from './paired-steps.ts';

/** Codes of the instructions by which the programs ask: ldh [k], ldb [k], and #k. */
const loadHalf = 0x28;
const loadByte = 0x30;
const and = 0x54;

function agree(link: Program, network: Program, type: number, version: number): boolean {
  const askType = (index: number) => {
    const { code, k } = link[index] ?? {};
    return code === loadHalf && k === etherType.offset ? { next: index + 1, a: type } : undefined;
  };
  const askVersion = (index: number) => {
    const [load, mask] = [network[index], network[index + 1]];
    const isAsked =
      load?.code === loadByte && load.k === 0 && mask?.code === and && mask.k === versionBits.mask;
    return isAsked ? { next: index + 2, a: version } : undefined;
  };
  const seen = new Set<string>();
  const open: (readonly [Place, Place])[] = [
    [
      { index: 0, a: 'same' },
      { index: 0, a: 'same' },
    ],
  ];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [one, other] = [
      skipKnown(link, pair[0], askType),
      skipKnown(network, pair[1], askVersion),
    ];
    if (one === undefined || other === undefined) return false;
    const key = [one.index, one.a, other.index, other.a].join(' ');
    if (seen.has(key)) continue;
    seen.add(key);
    const [left, right] = [link[one.index], network[other.index]];
    if (left === undefined || right === undefined) return false;
    const after = step(left, right, one.a === 'same' && other.a === 'same');
    if (after === undefined) return false;
    if (after.ways === 0) continue;
    const reach = (place: Place, skipped: number): Place => ({
      index: place.index + 1 + skipped,
      a: after.makesSame ? 'same' : place.a,
    });
    // How far a jump goes is each program's own.
    open.push([reach(one, left.jt), reach(other, right.jt)]);
    if (after.ways === 2) open.push([reach(one, left.jf), reach(other, right.jf)]);
  }
  return true;
}

/**
 * Whether the program for packets from Ethernet on, and that for packets from IP on, give the same answer for every packet whose
 * Ethernet header names the version of IP that follows. False may also mean that it could not be found out.
 */
export const agreeOnIp = (link: Program, network: Program): boolean =>
  agree(link, network, etherType.ip, versionBits.ip) &&
  agree(link, network, etherType.ip6, versionBits.ip6);
