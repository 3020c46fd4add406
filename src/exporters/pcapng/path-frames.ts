/**
 * Path mode: which frames stand for a packet path.
 *
 * A life gives a frame by its first sight that has headers, filled in if it ever is. But not if it was made from a life that
 * has a frame and the same addresses: the clone that a sniffer gets would look like a retransmission. What a clone for TCP
 * carries is new, because its original has no headers; so each transmission is there once, and a true retransmission, too.
 *
 * A big packet that the kernel cut into segments (GSO in software) never was on a wire: its segments are, and give frames.
 * Of the whole there is a frame without bytes then, for its path. So it is with a path in which no headers were seen.
 */
import type { Device, Life, PacketPath, PacketSight } from '../../event/packet-path.ts';
import { flowAddresses, place } from '../text/format.ts';
import type { AddressName, FilePacket } from './file-section.ts';
import { addressBytes } from './address-bytes.ts';
import { isFilledIn } from './filled-in.ts';
import { blankFrame, type Frame, frameOf } from './link-frame.ts';
import { pathComments } from './path-comments.ts';

const direction = { inbound: 1, outbound: 2 } as const;
/** epb_flags bits 2-4 by sk_buff.pkt_type: host is unicast, other host promiscuous. */
const receptionBits: readonly number[] = [1 << 2, 3 << 2, 2 << 2, 4 << 2];
const PACKET_OUTGOING = 4;

interface Shown {
  readonly life: Life;
  readonly sight: PacketSight | undefined;
  readonly frame: Frame | undefined;
}

const networkBytes = ({ bytes, networkOffset }: PacketSight): Uint8Array =>
  bytes.subarray(networkOffset ?? 0);

/** The same packet to whoever looks at the wire; checksums and identifiers may not be filled in yet. */
function isSame(left: PacketSight, right: PacketSight): boolean {
  return left.flow === undefined || right.flow === undefined
    ? Buffer.compare(networkBytes(left), networkBytes(right)) === 0
    : flowAddresses(left.flow) === flowAddresses(right.flow);
}

function isSameAsAncestor(
  sight: PacketSight,
  life: Life,
  path: PacketPath,
  shown: ReadonlyMap<Life, Shown>,
): boolean {
  let ancestor = life.parent === undefined ? undefined : path.lives[life.parent.life];
  // Parents stand before their children, so this ends; a path that says otherwise is not followed forever.
  for (let step = 0; ancestor !== undefined && step < path.lives.length; step++) {
    if (shown.has(ancestor)) return ancestor.packets.some((each) => isSame(each, sight));
    ancestor = ancestor.parent === undefined ? undefined : path.lives[ancestor.parent.life];
  }
  return false;
}

function sightOf(life: Life): { sight: PacketSight; frame: Frame } | undefined {
  const framed = life.packets
    .map((sight) => ({ sight, frame: frameOf(sight) }))
    .filter(({ frame }) => frame.hasHeaders);
  return framed.find(({ sight }) => isFilledIn(sight.flow)) ?? framed[0];
}

/** Where the kernel replaces a packet by its segments. */
const segmenters = /^(?:validate_xmit_skb|ip6?_finish_output_gso)\b/;

function wasSegmented(life: Life, path: PacketPath): boolean {
  const index = path.lives.indexOf(life);
  const isBig = life.packets.some(({ gso }) => (gso?.segments ?? 0) > 1);
  return (
    path.lives.some(({ parent }) => parent?.operation === 'segment' && parent.life === index) ||
    (isBig && life.end?.how === 'consumed' && segmenters.test(life.end.location?.func ?? ''))
  );
}

function choose(path: PacketPath): Shown[] {
  const shown = new Map<Life, Shown>();
  for (const life of path.lives) {
    if (wasSegmented(life, path)) continue;
    const seen = sightOf(life);
    if (seen === undefined || isSameAsAncestor(seen.sight, life, path, shown)) continue;
    shown.set(life, { life, ...seen });
  }
  if (shown.size > 0) return [...shown.values()];
  const [root] = path.lives;
  if (root === undefined) return [];
  const segmented = path.lives.find((life) => wasSegmented(life, path));
  if (segmented !== undefined) {
    const [sight] = segmented.packets;
    return [{ life: segmented, sight, frame: blankFrame(sight?.len ?? 0) }];
  }
  const life = path.lives.find(({ packets }) => packets.some(({ bytes }) => bytes.length > 0));
  const sight = life?.packets.find(({ bytes }) => bytes.length > 0) ?? root.packets[0];
  return [{ life: life ?? root, sight, frame: sight === undefined ? undefined : frameOf(sight) }];
}

/** Where the packet was: as sight, or where its next call was, because one made here gets its device late. */
function deviceOf({ life, sight }: Shown): Device | undefined {
  if (sight !== undefined && sight.device.ifindex !== 0) return sight.device;
  const from = sight?.seq ?? -1;
  return (
    life.calls.find(({ device, seq }) => seq > from && device.ifindex !== 0)?.device ??
    sight?.device ??
    life.calls[0]?.device
  );
}

export const describeDevice = (device: Device): string =>
  [
    device.netns === 0 ? '' : `network namespace ${device.netnsName} (inode ${device.netns})`,
    device.ifindex === 0 ? 'no device' : `ifindex ${device.ifindex}`,
    device.mtu === 0 ? '' : `mtu ${device.mtu}`,
  ]
    .filter((part) => part !== '')
    .join(', ');

/** epb_flags: bits 0-1 the direction, 2-4 how it was received. */
export function packetFlags(path: PacketPath, sight: PacketSight | undefined): number {
  if (path.direction === 'transmit' || sight?.packetType === PACKET_OUTGOING) {
    return direction.outbound;
  }
  const reception = receptionBits[sight?.packetType ?? -1] ?? 0;
  return path.direction === 'receive' ? direction.inbound | reception : 0;
}

/** skb->queue_mapping is the queue itself on the way out; on the way in it is one more, and 0: not recorded. */
export function queueOf(path: PacketPath, sight: PacketSight | undefined): number | undefined {
  if (sight === undefined || path.direction === 'unknown') return undefined;
  if (path.direction === 'transmit') return sight.queue;
  return sight.queue === 0 ? undefined : sight.queue - 1;
}

/** The task that made the packet; nobody's if it came in. */
export function processOf(path: PacketPath): FilePacket['process'] {
  if (path.direction !== 'transmit') return undefined;
  const task = path.lives[0]?.calls[0]?.task;
  return task === undefined || task.tid === 0 ? undefined : { tgid: task.tgid, tid: task.tid };
}

/** A time of a path in halves, without a bigint per record. */
export interface PathClock {
  high(offsetNs: number): number;
  low(offsetNs: number): number;
}

const WORD = 0x1_0000_0000;

export function pathClock({ startTimeNs }: PacketPath): PathClock {
  const start = BigInt.asUintN(64, startTimeNs);
  const startHigh = Number(start >> 32n);
  const startLow = Number(start & 0xffffffffn);
  return {
    high(offsetNs) {
      const low = startLow + Math.max(0, offsetNs);
      return low < WORD ? startHigh : (startHigh + Math.floor(low / WORD)) >>> 0;
    },
    low(offsetNs) {
      const low = startLow + Math.max(0, offsetNs);
      return low < WORD ? low : low % WORD;
    },
  };
}

/** The frames of a path; each is to be written at `offsetNs` from the path's start. */
export function pathFrames(
  path: PacketPath,
): { readonly offsetNs: number; readonly packet: FilePacket }[] {
  const clock = pathClock(path);
  return choose(path).map((shown) => {
    const { life, sight } = shown;
    const frame = shown.frame ?? blankFrame(life.calls[0]?.len ?? 0);
    const device = deviceOf(shown);
    const offsetNs = Math.round(sight?.offsetNs ?? life.offsetNs);
    return {
      offsetNs,
      packet: {
        interfaceName: (device === undefined ? '' : place(device)) || 'nowhere',
        interfaceDescription: device === undefined ? 'no device seen' : describeDevice(device),
        linkType: frame.linkType,
        timeHigh: clock.high(offsetNs),
        timeLow: clock.low(offsetNs),
        data: frame.data,
        originalLength: frame.originalLength,
        comments: pathComments(path, life, wasSegmented(life, path)),
        flags: packetFlags(path, sight),
        packetId: path.id,
        queue: queueOf(path, sight),
        process: processOf(path),
      },
    };
  });
}

/** Who the sender is, if it has a name of its own: a packet made in a named namespace. */
export function nameOfSender(path: PacketPath): AddressName | undefined {
  const device = path.lives[0]?.calls[0]?.device ?? path.lives[0]?.packets[0]?.device;
  if (path.direction !== 'transmit' || device === undefined || path.flow === undefined) {
    return undefined;
  }
  const { netnsName } = device;
  const hasName = netnsName !== '' && netnsName !== 'host' && !netnsName.startsWith('netns:');
  const address = hasName ? addressBytes(path.flow.sourceAddress) : undefined;
  return address === undefined ? undefined : { address, name: netnsName };
}
