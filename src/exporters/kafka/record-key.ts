import type { Flow, PacketPath } from '../../event/packet-path.ts';
import type { KafkaKey } from './options.ts';

const endpoint = (address: string, port: number | undefined): string =>
  port === undefined
    ? address
    : address.includes(':')
      ? `[${address}]:${port}`
      : `${address}:${port}`;

/** `tcp 10.0.0.1:80 10.0.0.2:41000`: the same for both directions. */
export function flowKey(flow: Flow): string {
  const source = endpoint(flow.sourceAddress, flow.sourcePort);
  const destination = endpoint(flow.destinationAddress, flow.destinationPort);
  return source < destination
    ? `${flow.transport} ${source} ${destination}`
    : `${flow.transport} ${destination} ${source}`;
}

/** The key of a path's records; a path without addresses goes by its trace id. */
export function recordKey(path: PacketPath, key: KafkaKey): string {
  const { flow } = path;
  const known = key === 'flow' && flow !== undefined && flow.sourceAddress !== '';
  return known ? flowKey(flow) : path.traceId;
}
