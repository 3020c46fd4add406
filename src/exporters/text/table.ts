/** One line per call in the columns of pwru, so that its users and their scripts feel at home. */
import type { CallDetail } from '../../event/call-detail.ts';
import type { Call, Flow, Life, PacketPath } from '../../event/packet-path.ts';
import { detailLines } from './detail.ts';
import { clean, codeLocation } from './format.ts';

const PROCESS_WIDTH = 16;

export interface Table {
  readonly header: string;
  /** The lines of one path in the order of time, without line ends. */
  lines(path: PacketPath): string[];
}

function centre(text: string, width: number): string {
  const left = Math.max(0, Math.floor((width - text.length) / 2));
  return (' '.repeat(left) + text).padEnd(width);
}

/** `ping:4711`; a long one keeps its end: `~orker-threads:17`. */
function process({ task }: Call): string {
  const name = task.tid === 0 ? 'idle' : clean(task.comm === '' ? '?' : task.comm);
  const text = `${name}:${task.tgid === 0 ? task.tid : task.tgid}`;
  return text.length <= PROCESS_WIDTH ? text : `~${text.slice(1 - PROCESS_WIDTH)}`;
}

const interfaceName = ({ device }: Call): string =>
  device.name === '' ? `${device.ifindex}` : `${clean(device.name)}:${device.ifindex}`;

function tuple(flow: Flow | undefined, tcpFlags: boolean): string {
  if (flow === undefined) return '-';
  const [left, right] = flow.network === 'ipv6' ? ['[', ']'] : ['', ''];
  const source = `${left}${clean(flow.sourceAddress)}${right}:${flow.sourcePort ?? 0}`;
  const destination = `${left}${clean(flow.destinationAddress)}${right}:${flow.destinationPort ?? 0}`;
  const flags = tcpFlags && flow.tcpFlags !== undefined ? `:${flow.tcpFlags}` : '';
  return `${source}->${destination}(${clean(flow.transport)}${flags})`;
}

interface Line {
  readonly offsetNs: number;
  readonly life: Life;
  readonly call: Call;
  readonly func: string;
  readonly detail?: CallDetail | undefined;
}

/** The calls of a life, and its drop at the place of its last call. */
function linesOf(life: Life): Line[] {
  const lines: Line[] = life.calls.map((call) => ({
    offsetNs: call.offsetNs,
    life,
    call,
    func: clean(call.func),
    detail: call.detail,
  }));
  const call = life.calls.at(-1);
  if (life.end?.how === 'dropped' && call !== undefined) {
    const { reason, location, offsetNs } = life.end;
    const where = location === undefined ? '' : ` ${codeLocation(location)}`;
    const func = `skb:kfree_skb(SKB_DROP_REASON_${clean(reason ?? 'NOT_SPECIFIED')})${where}`;
    lines.push({ offsetNs, life, call, func });
  }
  return lines;
}

const columns = (
  skb: string,
  cpu: string,
  task: string,
  netns: string,
  mark: string,
  device: string,
  protocol: string,
  mtu: string,
  len: string,
): string =>
  [
    skb.padEnd(18),
    cpu.padEnd(3),
    task.padEnd(PROCESS_WIDTH),
    netns.padEnd(10),
    mark.padEnd(8),
    centre(device, 16),
    protocol.padEnd(6),
    mtu.padEnd(5),
    len.padEnd(5),
  ].join(' ');

export interface TableOptions {
  /**
   * A first column with the time: of day | since the line before on the same skb, in seconds | since 1970, in seconds. All are
   * the kernel's time of the event, to the nanosecond.
   */
  readonly timestamp: 'none' | 'current' | 'relative' | 'absolute';
  /** TCP flags as tcpdump writes them behind the protocol: `(tcp:S.)`. */
  readonly tcpFlags: boolean;
}

const timeWidth = 20;

const seconds = (ns: bigint): string =>
  `${ns / 1_000_000_000n}.${(ns % 1_000_000_000n).toString().padStart(9, '0')}`;

/** Writes the time of a line; `sinceNs` is the time of the line before on its skb. */
const timeText = (form: TableOptions['timestamp'], ns: bigint, sinceNs: bigint): string => {
  switch (form) {
    case 'none':
      return '';
    case 'relative':
      return seconds(ns - sinceNs).padEnd(timeWidth);
    case 'absolute':
      return seconds(ns).padEnd(timeWidth);
    case 'current': {
      const date = new Date(Number(ns / 1_000_000n));
      const two = (value: number): string => value.toString().padStart(2, '0');
      const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
      const fraction = (ns % 1_000_000_000n).toString().padStart(9, '0');
      return `${clock}.${fraction}`.padEnd(timeWidth);
    }
  }
};

/** As in pwru the tuple column grows to the longest tuple seen so far. */
export function createTable(
  { timestamp, tcpFlags }: TableOptions = { timestamp: 'none', tcpFlags: false },
): Table {
  let tupleWidth = 0;
  const timeHeader = timestamp === 'none' ? '' : `${'TIME'.padEnd(timeWidth)} `;
  return {
    header: `${timeHeader}${columns('SKB', 'CPU', 'PROCESS', 'NETNS', 'MARK/x', 'IFACE', 'PROTO', 'MTU', 'LEN')} TUPLE FUNC`,
    lines(path) {
      const lines = path.lives.flatMap(linesOf).sort((a, b) => a.offsetNs - b.offsetNs);
      const before = new Map<Life, number>();
      return lines.flatMap(({ offsetNs, life, call, func, detail }) => {
        const since = before.get(life) ?? offsetNs;
        before.set(life, offsetNs);
        const at = (offset: number): bigint => path.startTimeNs + BigInt(Math.round(offset));
        const time = timeText(timestamp, at(offsetNs), at(since));
        const addresses = tuple(life.packets[call.packet]?.flow ?? path.flow, tcpFlags);
        tupleWidth = Math.max(tupleWidth, addresses.length);
        const meta = columns(
          `0x${life.skb.toString(16)}`,
          `${call.cpu}`,
          process(call),
          `${call.device.netns}`,
          call.mark.toString(16),
          interfaceName(call),
          `0x${call.protocol.toString(16).padStart(4, '0')}`,
          `${call.device.mtu}`,
          `${call.len}`,
        );
        const line = `${meta} ${addresses.padEnd(tupleWidth)} ${func}`;
        const below = detail === undefined ? [] : detailLines(detail).map((text) => `    ${text}`);
        return [time === '' ? line : `${time} ${line}`, ...below];
      });
    },
  };
}
