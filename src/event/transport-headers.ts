/** Transport protocols: ports, TCP flags and the one fact worth a word. Total on any bytes. */

export interface Transport {
  readonly transport: string;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  readonly tcpFlags: string | undefined;
  readonly detail: string;
}

/** IANA protocol numbers. */
export const ipProtocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58, sctp: 132 } as const;

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(ipProtocol).map(([name, number]) => [number, name]),
);

/** In the order and with the letters of tcpdump. */
const tcpFlagLetters = [
  [0x01, 'F'],
  [0x02, 'S'],
  [0x04, 'R'],
  [0x08, 'P'],
  [0x10, '.'],
  [0x20, 'U'],
  [0x40, 'E'],
  [0x80, 'W'],
] as const;

const icmpNames: ReadonlyMap<number, string> = new Map([
  [0, 'echo reply'],
  [3, 'destination unreachable'],
  [5, 'redirect'],
  [8, 'echo request'],
  [11, 'time exceeded'],
  [12, 'parameter problem'],
]);

const icmpv6Names: ReadonlyMap<number, string> = new Map([
  [1, 'destination unreachable'],
  [2, 'packet too big'],
  [3, 'time exceeded'],
  [4, 'parameter problem'],
  [128, 'echo request'],
  [129, 'echo reply'],
  [130, 'multicast listener query'],
  [131, 'multicast listener report'],
  [133, 'router solicitation'],
  [134, 'router advertisement'],
  [135, 'neighbor solicitation'],
  [136, 'neighbor advertisement'],
  [143, 'multicast listener report v2'],
]);

/** Name of an IP protocol as Flow.transport has it. */
export const transportName = (protocol: number): string =>
  names.get(protocol) ?? `ip-proto-${protocol}`;

/** The transport header at `bytes[at]`; what lies outside of the bytes is left undefined. */
export function parseTransport(protocol: number, bytes: Uint8Array, at: number): Transport {
  const has = (count: number): boolean => at + count <= bytes.length;
  const u16 = (offset: number): number =>
    ((bytes[at + offset] ?? 0) << 8) | (bytes[at + offset + 1] ?? 0);
  const withPorts =
    protocol === ipProtocol.tcp || protocol === ipProtocol.udp || protocol === ipProtocol.sctp;
  let tcpFlags: string | undefined;
  let detail = '';
  if (protocol === ipProtocol.tcp && has(14)) {
    const flags = bytes[at + 13] ?? 0;
    tcpFlags =
      tcpFlagLetters.map(([bit, letter]) => ((flags & bit) === 0 ? '' : letter)).join('') || 'none';
  } else if (protocol === ipProtocol.icmp) detail = icmpDetail(icmpNames, [0, 8]);
  else if (protocol === ipProtocol.icmpv6) detail = icmpDetail(icmpv6Names, [128, 129]);

  function icmpDetail(known: ReadonlyMap<number, string>, echo: readonly number[]): string {
    if (!has(2)) return '';
    const type = bytes[at] ?? 0;
    const code = bytes[at + 1] ?? 0;
    const name = known.get(type) ?? `type ${type}`;
    if (echo.includes(type)) return has(8) ? `${name} id ${u16(4)} seq ${u16(6)}` : name;
    return code === 0 ? name : `${name} code ${code}`;
  }

  return {
    transport: transportName(protocol),
    sourcePort: withPorts && has(4) ? u16(0) : undefined,
    destinationPort: withPorts && has(4) ? u16(2) : undefined,
    tcpFlags,
    detail,
  };
}
