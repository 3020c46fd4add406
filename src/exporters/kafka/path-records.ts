import type { Origin, PacketPath } from '../../event/packet-path.ts';
import {
  begin,
  createJsonBytes,
  end,
  put,
  putQuotedOrNull,
  type JsonBytes,
} from '../json/bytes.ts';
import { moreMembers } from '../json/pieces.ts';
import { putPath } from '../json/records.ts';
import { contentId } from './content-id.ts';

const records = createJsonBytes();
const ofRecord = moreMembers('content_id');

/** A path's JSON record: that of the JSON output, and whose it is: host, boot and the packet's content id. */
export function pathValue(path: PacketPath, origin: Origin): Buffer {
  const putContentId = (out: JsonBytes): void => {
    put(out, ofRecord.content_id);
    putQuotedOrNull(out, contentId(path));
  };
  begin(records);
  putPath(records, path, origin, putContentId);
  return end(records);
}
