import type { CallDetail } from '../../event/call-detail.ts';
import type { CodeLocation } from '../../event/packet-path.ts';
import { hex } from '../json/text.ts';
import type { HopRow } from './hop-records.ts';

const placeText = ({ func, offset, address }: CodeLocation): string =>
  func === '' ? hex(address) : `${func}+0x${offset.toString(16)}`;

/**
 * What was asked for of a call besides (`--output-caller` and the like), as far as it is flat: lists are one text. A call
 * without details has no such columns.
 */
export function detailColumns(detail: CallDetail | undefined): HopRow | undefined {
  if (detail === undefined) return undefined;
  const { caller, stack, tunnel, metadata, map } = detail;
  return {
    caller: caller === undefined ? null : placeText(caller),
    stack: stack?.map(placeText).join(';') ?? null,
    tunnel_transport: tunnel?.transport ?? null,
    tunnel_source_address: tunnel?.sourceAddress ?? null,
    tunnel_source_port: tunnel?.sourcePort ?? null,
    tunnel_destination_address: tunnel?.destinationAddress ?? null,
    tunnel_destination_port: tunnel?.destinationPort ?? null,
    metadata:
      metadata?.map(({ expression, value }) => `${expression}=${value ?? 'null'}`).join(';') ??
      null,
    map_id: map?.id ?? null,
    map_name: map?.name ?? null,
    map_type: map?.type ?? null,
    map_key: map?.key ?? null,
    map_value: map?.value ?? null,
  };
}
