import type { Origin, PacketPath } from '../../event/packet-path.ts';
import { pathText } from '../json/records.ts';
import { quoted } from '../json/text.ts';
import { contentId } from './content-id.ts';
import { toBytes } from './json-bytes.ts';

/** A path's JSON record: that of the JSON output, and whose it is: host, boot and the packet's content id. */
export function pathValue(path: PacketPath, { host, bootId }: Origin): Buffer {
  const id = contentId(path);
  const more =
    `,"host":${quoted(host)},"boot_id":${quoted(bootId)}` +
    `,"content_id":${id === undefined ? 'null' : `"${id}"`}`;
  return toBytes(pathText(path, more));
}
