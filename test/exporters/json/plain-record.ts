/** A path's record as an object, made without any thought of speed: what JSON.stringify makes of it is what the exporters write. */
import type { CallDetail } from '../../../src/event/call-detail.ts';
import type {
  Call,
  CodeLocation,
  ConntrackTuple,
  Device,
  Flow,
  Life,
  Origin,
  PacketPath,
  PacketSight,
  Task,
} from '../../../src/event/packet-path.ts';

type Plain =
  | string
  | number
  | boolean
  | null
  | undefined
  | bigint
  | Uint8Array
  | readonly Plain[]
  | { readonly [name: string]: Plain };

const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Numbers of 64 bits that are decimal; all others are hex. */
const decimal = new Set(['startTimeNs', 'cgroup']);

/** By the naming rules of docs/json.md; the order is that of `names`, which every object has all of. */
function record(of: object, ...names: readonly string[]): Plain {
  const fields = of as Readonly<Record<string, Plain>>;
  return Object.fromEntries(
    names.map((name): [string, Plain] => {
      const value = fields[name];
      if (value === undefined) return [snakeCase(name), null];
      if (typeof value === 'bigint')
        return [snakeCase(name), decimal.has(name) ? `${value}` : `0x${value.toString(16)}`];
      if (value instanceof Uint8Array)
        return [snakeCase(name), Buffer.from(value).toString('base64')];
      return [snakeCase(name), value];
    }),
  );
}

const orNull = <T>(value: T | undefined, write: (value: T) => Plain): Plain =>
  value === undefined ? null : write(value);

const device = (of: Device): Plain =>
  record(of, 'netns', 'netnsName', 'ifindex', 'name', 'mtu', 'kind');
const task = (of: Task): Plain =>
  record(of, 'tid', 'tgid', 'comm', 'cgroup', 'containerId', 'podUid');
const location = (of: CodeLocation): Plain => record(of, 'address', 'func', 'offset', 'module');
const flow = (of: Flow): Plain =>
  record(
    of,
    ...['network', 'transport', 'sourceAddress', 'sourcePort', 'destinationAddress'],
    ...['destinationPort', 'tcpFlags', 'detail'],
  );
const tuple = (of: ConntrackTuple): Plain =>
  record(of, 'transport', 'sourceAddress', 'destinationAddress', 'sourcePort', 'destinationPort');
const link = (of: NonNullable<Life['parent']>): Plain => record(of, 'life', 'call', 'operation');

function detail(of: CallDetail): Plain {
  const metadata = of.metadata?.map(({ expression, value }) => ({
    expression,
    value: value?.toString() ?? null,
  }));
  return {
    caller: orNull(of.caller, location),
    stack: orNull(of.stack, (stack) => stack.map(location)),
    tunnel: orNull(of.tunnel, flow),
    cb: of.controlBlock ?? null,
    metadata: metadata ?? null,
    skb: of.skb ?? null,
    shared_info: of.sharedInfo ?? null,
    map: orNull(of.map, (map) =>
      record(map, 'id', 'name', 'type', 'keyBytes', 'valueBytes', 'key', 'value'),
    ),
  };
}

const call = (of: Call): Plain =>
  record(
    {
      ...of,
      parent: orNull(of.parent, (parent) => record(parent, 'life', 'call')),
      task: task(of.task),
      device: device(of.device),
      detail: orNull(of.detail, detail),
    },
    ...['func', 'module', 'kind', 'seq', 'offsetNs', 'durationNs', 'timing', 'depth', 'parent'],
    ...['cpu', 'task', 'device', 'len', 'mark', 'protocol', 'returnValue', 'packet', 'verdict'],
    'detail',
  );

const sight = (of: PacketSight): Plain =>
  record(
    {
      ...of,
      flow: orNull(of.flow, flow),
      vlan: orNull(of.vlan, (vlan) => record(vlan, 'tci', 'protocol')),
      gso: orNull(of.gso, (gso) => record(gso, 'size', 'segments')),
      device: device(of.device),
    },
    ...['offsetNs', 'seq', 'flow', 'len', 'bytes', 'macOffset', 'networkOffset', 'transportOffset'],
    ...['protocol', 'vlan', 'queue', 'gso', 'hash', 'mark', 'device', 'packetType', 'socket'],
  );

const end = (of: NonNullable<Life['end']>): Plain =>
  record(
    {
      ...of,
      location: orNull(of.location, location),
      rule: orNull(of.rule, (rule) => record(rule, 'family', 'table', 'chain', 'handle')),
    },
    ...['offsetNs', 'how', 'reason', 'reasonCode', 'location', 'program', 'rule'],
  );

const life = (of: Life): Plain =>
  record(
    {
      ...of,
      parent: orNull(of.parent, link),
      mergedInto: orNull(of.mergedInto, link),
      end: orNull(of.end, end),
      calls: of.calls.map(call),
      packets: of.packets.map(sight),
      sockets: of.sockets.map((socket) =>
        record(
          socket,
          ...['offsetNs', 'seq', 'address', 'inode', 'uid', 'family', 'type', 'protocol', 'state'],
          ...['localAddress', 'localPort', 'remoteAddress', 'remotePort', 'netns', 'netnsName'],
          ...['cgroup', 'containerId', 'podUid'],
        ),
      ),
      conntracks: of.conntracks.map((conntrack) =>
        record(
          {
            ...conntrack,
            original: tuple(conntrack.original),
            reply: tuple(conntrack.reply),
          },
          ...['offsetNs', 'seq', 'info', 'status', 'zone', 'mark', 'original', 'reply'],
        ),
      ),
      waits: of.waits.map((wait) =>
        record(
          { ...wait, device: device(wait.device) },
          ...['place', 'offsetNs', 'durationNs', 'after', 'before', 'device'],
        ),
      ),
      crossings: of.crossings.map((crossing) =>
        record(
          { ...crossing, from: device(crossing.from), to: device(crossing.to) },
          ...['kind', 'call', 'offsetNs', 'from', 'to', 'fromCpu', 'toCpu'],
        ),
      ),
      changes: of.changes.map((change) =>
        record(
          {
            ...change,
            before: flow(change.before),
            after: flow(change.after),
            tunnel: orNull(change.tunnel, (tunnel) => record(tunnel, 'kind', 'id')),
          },
          ...['kind', 'offsetNs', 'call', 'before', 'after', 'tunnel'],
        ),
      ),
    },
    ...['id', 'skb', 'parent', 'mergedInto', 'offsetNs', 'end', 'calls', 'packets', 'sockets'],
    ...['conntracks', 'waits', 'crossings', 'changes'],
  );

/** `time` is not made of the path's own time, but given. */
export const plainRecord = (path: PacketPath, time: string, origin?: Origin): object => ({
  schema: 'skbspan.path/1',
  ...(record(
    {
      ...path,
      time,
      losses: path.losses.map((loss) =>
        record(loss, 'cause', 'life', 'afterSeq', 'count', 'before', 'after'),
      ),
      flow: orNull(path.flow, flow),
      lives: path.lives.map(life),
      outcome: record(
        {
          ...path.outcome,
          device: orNull(path.outcome.device, device),
          task: orNull(path.outcome.task, task),
        },
        ...['kind', 'life', 'call', 'offsetNs', 'device', 'socket', 'task', 'by'],
      ),
    },
    ...['id', 'traceId', 'time', 'startTimeNs', 'durationNs', 'direction', 'ending', 'losses'],
    ...['flow', 'lives', 'outcome'],
  ) as object),
  ...(origin && { host: origin.host, boot_id: origin.bootId }),
});
