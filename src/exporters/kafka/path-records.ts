import type { PacketPath } from '../../event/packet-path.ts';
import { jsonLine, pathRecord } from '../json/records.ts';
import { contentId } from './content-id.ts';
import type { Identity } from './identity.ts';

/** A path's JSON record: that of the JSON output, and whose it is: host, boot and the packet's content id. */
export function pathValue(path: PacketPath, { host, bootId }: Identity): Buffer {
  const line = jsonLine({
    ...pathRecord(path),
    host,
    boot_id: bootId,
    content_id: contentId(path) ?? null,
  });
  return Buffer.from(line.slice(0, -1));
}
