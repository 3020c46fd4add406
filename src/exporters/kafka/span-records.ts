import type { PacketPath } from '../../event/packet-path.ts';
import { createEncoder } from '../otlp/encode.ts';
import { packRequests } from '../otlp/requests.ts';
import { createResources } from '../otlp/resources.ts';
import type { SpanParts } from '../otlp/span-parts.ts';
import { describeSpans } from '../otlp/spans.ts';

export interface SpanRecordOptions {
  readonly maxBytes: number;
  readonly version: string | undefined;
}

/**
 * Makes a path's spans into values of an ExportTraceServiceRequest each, usually one; a path that is bigger than `maxBytes`
 * takes several. undefined stands for spans that do not fit at all. Loads OpenTelemetry: import it only when needed.
 */
export async function createSpanValues({
  maxBytes,
  version,
}: SpanRecordOptions): Promise<(path: PacketPath) => (Buffer | undefined)[]> {
  const resources = await createResources({ serviceName: undefined, timeScale: 1 });
  const scope = version === undefined ? { name: 'skbspan' } : { name: 'skbspan', version };
  const toSpans = (path: PacketPath): readonly SpanParts[] =>
    describeSpans(path, { clones: 'same_trace', timeScale: 1 });
  const encode = createEncoder({ timeScale: 1, resources, scope });
  const limits = { maxBytes, maxSpans: Infinity };

  return (path) =>
    [...packRequests([path], toSpans, encode, limits)].map(({ bytes }) =>
      bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    );
}
