import type { Origin, PacketPath } from '../../event/packet-path.ts';
import { begin, createJsonBytes, end, putText, type JsonBytes } from '../json/bytes.ts';
import { putPath } from '../json/records.ts';
import { contentId } from './content-id.ts';

const records = createJsonBytes();

/** A path's JSON record: that of the JSON output, and whose it is: host, boot and the packet's content id. */
export function pathValue(path: PacketPath, origin: Origin): Buffer {
  const putContentId = (out: JsonBytes): void => {
    const id = contentId(path);
    putText(out, id === undefined ? ',"content_id":null' : `,"content_id":"${id}"`);
  };
  begin(records);
  putPath(records, path, origin, putContentId);
  return end(records);
}
