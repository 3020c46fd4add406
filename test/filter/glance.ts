/**
 * Asks a filter about skbs with their headers at every place, at length and with a glance, in this kernel. A glance may only say that a
 * packet is foreign if the long way says so, and it must mostly say it then.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { testRun } from '../../src/ffi/bpf-syscall.ts';
import { closeFd } from '../../src/ffi/libc.ts';
import { openBpfObject, type BpfObject } from '../../src/ffi/libbpf.ts';
import type { InPlace } from '../../src/filter/packet-loads.ts';
import { compilePcapFilter } from '../../src/filter/pcap-filter.ts';
import { createLifePlaces, putLifePlaces } from '../../src/collector/life-places.ts';
import { configureFilter, injectFilter } from '../../src/collector/packet-filter.ts';
import { compileBpf, fitting, putPackets } from './differential.ts';
import { createPackets, type Packet } from './packets.ts';

/** Where kernels under test find the object that the host compiled. */
export const glanceObject = new URL('../../build/glance.bpf.o', import.meta.url).pathname;

export const compileGlance = (output: string): void => {
  compileBpf(new URL('glance.bpf.c', import.meta.url), output);
};

/** As in glance.bpf.c. */
const headroom = 32;
const noDevice = 0xffff;
const [chosenBit, foreignBit] = [1, 2];

const unset = 0xffff;
/** From skb->head: the header is there, or behind an Ethernet header, or behind that and a tag; not set; or nonsense. */
const macs = { set: headroom, unset, network: headroom + 14, far: 60_000 } as const;
const networks = {
  untagged: headroom + 14,
  tagged: headroom + 18,
  mac: headroom,
  zero: 0,
  unset,
  far: 60_000,
} as const;
const protocols = { none: 0, ip: 0x0800, ip6: 0x86dd, arp: 0x0806, tag: 0x8100 } as const;
/** ARPHRD_*: a tunnel has no Ethernet headers, and what is forwarded to it still has that of the device it came by. */
const devices = { ethernet: 1, loopback: 772, tunnel: 65534, none: noDevice } as const;

const swap = (value: number): number => ((value & 255) << 8) | (value >> 8);

/** Each expression asks for something else of the Ethernet header, or for nothing. */
export const glanceExpressions = [
  'tcp port 80',
  'not tcp',
  'host 10.1.0.1',
  'ip6 host fd00:1::1',
  'ip or arp',
  'not ip6',
  'udp[8:4] != 0',
  'ip[8] < 65',
  'ip proto 1 or ip6 proto 58',
  'ip6 protochain 6',
  'ether src host 02:00:00:00:00:01',
  'ether[12:2] = 0x0800',
  'vlan and ip',
  'vlan 7 or tcp',
  'arp',
  'broadcast or udp',
] as const;

export interface Glances {
  /** Questions whose packet does not match at length, and those of them that a glance saw, by expression. */
  readonly others: Readonly<Record<string, number>>;
  readonly seen: Readonly<Record<string, number>>;
  /** Questions whose packet matches. */
  readonly chosen: number;
  /** Questions that were answered otherwise, or not at all: must be none. */
  readonly wrong: readonly string[];
}

/** Packets as they come by: whole ones, and those whose end lies in fragments. Shorter than where the fake's fragments are told. */
const somePackets = (): Packet[] =>
  fitting(createPackets(300, 42))
    .filter(({ bytes }) => bytes.length >= 34 && bytes.length < 1400)
    .slice(0, 60);

type Layout = Readonly<Record<'mac' | 'network' | 'protocol' | 'device', string>>;

function* layouts(): Generator<readonly [Layout, numbers: readonly number[]]> {
  for (const [mac, atMac] of Object.entries(macs))
    for (const [network, atNetwork] of Object.entries(networks))
      for (const [protocol, type] of Object.entries(protocols))
        for (const [device, hardware] of Object.entries(devices))
          yield [{ mac, network, protocol, device }, [atMac, atNetwork, swap(type), hardware]];
}

/** `places`: of lives, see src/collector/life-places.ts. */
function openGlance(
  path: string,
  expression: string,
  inPlace: InPlace | undefined,
  places: number,
): BpfObject {
  const none = { tunnelLink: undefined, tunnelNetwork: undefined };
  const filter = { pcap: compilePcapFilter({ packet: expression, ...none }) };
  const contents = injectFilter(readFileSync(path), filter, inPlace);
  putLifePlaces(contents, places);
  const object = openBpfObject(path, { contents });
  object.map('lives').reuse(places);
  const bytes = object.map('.rodata.config').data();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  configureFilter(view, filter);
  object.map('.rodata.direct').data()[0] = inPlace === undefined ? 0 : 1;
  object.map('ring').setMaxEntries(4096);
  return object;
}

/** `inPlace`: if this kernel can do it. Throws VerifierError if the kernel refuses a filter. */
export function compareGlances(path: string, inPlace: InPlace | undefined): Glances {
  const packets = somePackets();
  const wrong: string[] = [];
  const others: Record<string, number> = {};
  const seen: Record<string, number> = {};
  let chosen = 0;
  for (const expression of glanceExpressions) {
    const places = createLifePlaces(undefined);
    const object = openGlance(path, expression, inPlace, places);
    try {
      object.load();
      putPackets(object, packets);
      const program = object.program('ask_all').fd();
      const answers = object.map('.data.answers').data();
      let [otherCount, seenCount] = [0, 0];
      for (const [layout, numbers] of layouts()) {
        testRun(program, BigUint64Array.from([packets.length, ...numbers].map(BigInt)));
        answers.subarray(0, packets.length).forEach((answer, index) => {
          if (answer === chosenBit) chosen++;
          else if (answer === 0 || answer === foreignBit) otherCount++;
          else wrong.push(`${expression}, packet ${index}, ${JSON.stringify(layout)}: ${answer}`);
          if (answer === foreignBit) seenCount++;
        });
      }
      others[expression] = otherCount;
      seen[expression] = seenCount;
    } finally {
      closeFd(places);
      object.close();
    }
  }
  return { others, seen, chosen, wrong };
}

/** Fails if a glance was wrong, or saw nothing. */
export function assertGlances({ others, seen, chosen, wrong }: Glances): void {
  assert.deepEqual(wrong, []);
  assert.ok(chosen > 10_000, `${chosen} packets match`);
  for (const [expression, count] of Object.entries(others)) {
    const share = (seen[expression] ?? 0) / count;
    assert.ok(share > 0.9, `${expression}: of ${count} packets a glance sees ${share}`);
  }
}
