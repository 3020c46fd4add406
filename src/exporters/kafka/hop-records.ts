/**
 * Hop rows: one flat record per call, ready for SQL. What belongs to the path stands in each of its rows. How a life ended
 * stands in the row of its last call only, so that a drop is counted once; a life without calls has one row, without a func.
 */
import type { Call, Life, Origin, PacketPath } from '../../event/packet-path.ts';
import { isoTime } from '../json/times.ts';
import { contentId } from './content-id.ts';
import { begin, createJsonBytes, end, putText } from '../json/bytes.ts';
import { textOf } from '../json/text.ts';
import { detailColumns } from './hop-details.ts';

/** Changes when a reader of the old form would misread the new one; added columns do not change it. */
export const hopSchema = 'skbspan.hop/1';

/** A row's columns by name: those of config/schema/skbspan.hop-1.schema.json. */
export type HopRow = Readonly<Record<string, string | number | boolean | null>>;

const callColumns = (path: PacketPath, life: Life, call: Call | undefined): HopRow => {
  const sight = life.packets[call?.packet ?? 0];
  const flow = sight?.flow ?? path.flow;
  const offsetNs = call?.offsetNs ?? life.offsetNs;
  return {
    time: isoTime(path.startTimeNs + BigInt(offsetNs)),
    time_ns: (path.startTimeNs + BigInt(offsetNs)).toString(),
    offset_ns: offsetNs,
    duration_ns: call?.durationNs ?? null,
    timing: call?.timing ?? null,
    func: call?.func ?? null,
    module: call?.module ?? null,
    kind: call?.kind ?? null,
    seq: call?.seq ?? null,
    depth: call?.depth ?? null,
    parent_life: call?.parent?.life ?? null,
    parent_call: call?.parent?.call ?? null,
    cpu: call?.cpu ?? null,
    tid: call?.task.tid ?? null,
    tgid: call?.task.tgid ?? null,
    comm: call?.task.comm ?? null,
    cgroup: call?.task.cgroup.toString() ?? null,
    container_id: call?.task.containerId ?? null,
    pod_uid: call?.task.podUid ?? null,
    netns: call?.device.netns ?? null,
    netns_name: call?.device.netnsName ?? null,
    ifindex: call?.device.ifindex ?? null,
    device: call?.device.name ?? null,
    queue: sight?.queue ?? null,
    len: call?.len ?? null,
    mark: call?.mark ?? null,
    protocol: call?.protocol ?? null,
    return_value: call?.returnValue === undefined ? null : `0x${call.returnValue.toString(16)}`,
    verdict: call?.verdict ?? null,
    network: flow?.network ?? null,
    transport: flow?.transport ?? null,
    source_address: flow?.sourceAddress ?? null,
    source_port: flow?.sourcePort ?? null,
    destination_address: flow?.destinationAddress ?? null,
    destination_port: flow?.destinationPort ?? null,
    tcp_flags: flow?.tcpFlags ?? null,
  };
};

const endColumns = (life: Life, last: boolean): HopRow => {
  const end = last ? life.end : undefined;
  return {
    end_how: end?.how ?? null,
    end_offset_ns: end?.offsetNs ?? null,
    drop_reason: end?.reason ?? null,
    drop_program: end?.program ?? null,
    drop_func: end?.how === 'dropped' ? (end.location?.func ?? null) : null,
    drop_offset: end?.how === 'dropped' ? (end.location?.offset ?? null) : null,
  };
};

/** The rows of a path in the order of lives and calls. */
export function hopRows(path: PacketPath, { host, bootId }: Origin): HopRow[] {
  const of: HopRow = {
    schema: hopSchema,
    host,
    boot_id: bootId,
    trace_id: path.traceId,
    content_id: contentId(path) ?? null,
    path_duration_ns: path.durationNs,
    path_complete: path.losses.length === 0,
    outcome: path.outcome.kind,
    direction: path.direction,
  };
  return path.lives.flatMap((life, index) => {
    const lifeColumns: HopRow = {
      life: index,
      life_id: life.id,
      operation: life.parent?.operation ?? null,
    };
    const calls: readonly (Call | undefined)[] = life.calls.length === 0 ? [undefined] : life.calls;
    return calls.map((call, at) => ({
      ...of,
      ...lifeColumns,
      call: at,
      ...callColumns(path, life, call),
      ...endColumns(life, at === calls.length - 1),
      ...detailColumns(call?.detail),
    }));
  });
}

const records = createJsonBytes();

/** The same, a JSON value each. */
export const hopValues = (path: PacketPath, origin: Origin): Buffer[] =>
  hopRows(path, origin).map((row) => {
    begin(records);
    putText(records, textOf(row));
    return end(records);
  });
