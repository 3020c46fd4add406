import type { Origin, PacketPath } from '../../event/packet-path.ts';
import { pathRecord } from '../json/records.ts';
import { contentId } from './content-id.ts';
import { jsonBytes } from './json-bytes.ts';

/** A path's JSON record: that of the JSON output, and whose it is: host, boot and the packet's content id. */
export function pathValue(path: PacketPath, { host, bootId }: Origin): Buffer {
  return jsonBytes({
    ...pathRecord(path),
    host,
    boot_id: bootId,
    content_id: contentId(path) ?? null,
  });
}
