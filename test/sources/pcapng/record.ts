import type { PacketPath } from '../../../src/event/packet-path.ts';
import type { Statistics } from '../../../src/event/statistics.ts';
import { createBlockBuffer } from '../../../src/exporters/pcapng/block-buffer.ts';
import { createFileSection } from '../../../src/exporters/pcapng/file-section.ts';
import { runComment } from '../../../src/exporters/pcapng/hop-comments.ts';
import { hopRecords } from '../../../src/exporters/pcapng/hop-records.ts';

/** A recording of `paths` as the bytes of a file. */
export function record(paths: readonly PacketPath[], statistics?: Statistics): Uint8Array {
  const out = createBlockBuffer();
  const section = createFileSection(out, { mode: 'hop', version: '0', os: 'Linux', hardware: 'x' });
  for (const path of paths) for (const packet of hopRecords(path)) section.packet(packet);
  section.end(0n, {
    comments: statistics === undefined ? [] : [runComment(statistics)],
    lost: undefined,
  });
  return out.take();
}
