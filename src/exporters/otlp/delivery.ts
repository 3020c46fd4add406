import { setImmediate as nextTurn } from 'node:timers/promises';
import { SkbspanError, UsageError } from '../../errors.ts';
import type { ExportResult } from '../../event/exporter.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import { resolveOtlpConfig } from './config.ts';
import { createEncoder } from './encode.ts';
import type { OtlpOptions } from './options.ts';
import { packRequests, type SpanRequest } from './requests.ts';
import { createResources } from './resources.ts';
import type { SpanParts } from './span-parts.ts';
import { describeSpans } from './spans.ts';
import { createTransport, type Transport } from './transport.ts';

/** The part of the exporter that lives from start to shutdown. Loads OpenTelemetry and the protocol: import it only when needed. */
export interface Delivery {
  /** Never rejects. A retry gives the same array again; then only what was not accepted is sent. */
  deliver(paths: readonly PacketPath[]): Promise<ExportResult>;
  close(): void;
}

/** A batch on its way, over all its tries. */
interface Batch {
  readonly requests: Iterator<SpanRequest, void, undefined>;
  /** Made but not accepted yet. */
  readonly unsent: SpanRequest[];
  refusedSpans: number;
  refusal: Error | undefined;
}

type Retry = Extract<ExportResult, { status: 'retryable' }>;

/** Servers refuse more than 4 MiB by default, counted before compression; the rest is for what they count differently. */
const MAX_REQUEST_BYTES = 4_000_000;
const MAX_REQUEST_SPANS = 2048;
/** Requests of one batch that are in flight together: the next one is made while the server works on the last. */
const IN_FLIGHT = 4;

/** Opens the way to the endpoint and tries it. Throws UsageError or SkbspanError with advice; then nothing is left open. */
export async function openDelivery(options: OtlpOptions): Promise<Delivery> {
  const timeScale = options.timeScale ?? 1;
  if (!Number.isSafeInteger(timeScale) || timeScale < 1)
    throw new UsageError(`OTLP time scale ${timeScale}: must be a whole number from 1.`);
  const config = resolveOtlpConfig(options, process.env);
  const resources = await createResources({ serviceName: options.serviceName, timeScale });
  const transport = await createTransport(config);
  try {
    await transport.probe();
  } catch (error) {
    transport.close();
    throw error;
  }

  const { clones, detail, maxSpans, join, version } = options;
  const scope = version === undefined ? { name: 'skbspan' } : { name: 'skbspan', version };
  const limits = {
    maxBytes: options.maxRequestBytes ?? MAX_REQUEST_BYTES,
    maxSpans: MAX_REQUEST_SPANS,
  };
  const toSpans = (path: PacketPath): readonly SpanParts[] =>
    describeSpans(path, { clones, timeScale, detail, maxSpans, join });
  const encode = createEncoder({ timeScale, resources, scope });
  const batches = new WeakMap<readonly PacketPath[], Batch>();

  return {
    async deliver(paths) {
      const batch = batches.get(paths) ?? {
        requests: packRequests(paths, toSpans, encode, limits),
        unsent: [],
        refusedSpans: 0,
        refusal: undefined,
      };
      batches.set(paths, batch);
      try {
        const retry = await sendBatch(batch, transport, limits.maxBytes);
        if (retry !== undefined) return retry;
      } catch (cause) {
        batches.delete(paths);
        const error = new SkbspanError('SKBSPAN_INTERNAL', 'packet paths cannot be made spans', {
          cause,
        });
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
      batches.delete(paths);
      return settled(batch);
    },
    close() {
      transport.close();
    },
  };
}

/** Sends what is left of a batch, several requests at a time; the reason to try again later, or undefined when all is settled. */
async function sendBatch(
  batch: Batch,
  transport: Transport,
  maxBytes: number,
): Promise<Retry | undefined> {
  const retries: Retry[] = [];
  const open = new Set<Promise<void>>();
  const send = async (request: SpanRequest): Promise<void> => {
    const retry = await sendOne(batch, request, transport, maxBytes);
    if (retry === undefined) return;
    batch.unsent.push(request);
    retries.push(retry);
  };
  try {
    while (retries.length === 0) {
      const request = batch.unsent.pop() ?? nextOf(batch.requests);
      if (request === undefined) break;
      const sent = send(request).finally(() => open.delete(sent));
      open.add(sent);
      // Its bytes leave now, and the server works on them while the next request is made.
      await nextTurn();
      if (open.size >= IN_FLIGHT) await Promise.race(open);
    }
  } finally {
    // All of them have ended before anything is said: a retry must not meet requests that are still on their way.
    await Promise.all(open);
  }
  return retries.sort((a, b) => (b.retryAfterMs ?? 0) - (a.retryAfterMs ?? 0))[0];
}

function nextOf(requests: Iterator<SpanRequest, void, undefined>): SpanRequest | undefined {
  const next = requests.next();
  return next.done === true ? undefined : next.value;
}

async function sendOne(
  batch: Batch,
  request: SpanRequest,
  transport: Transport,
  maxBytes: number,
): Promise<Retry | undefined> {
  if (request.bytes === undefined) {
    batch.refusedSpans += request.spans;
    batch.refusal = new SkbspanError('SKBSPAN_EXPORT', `a span is bigger than ${maxBytes} bytes`);
    return undefined;
  }
  const result = await transport.send(request.bytes);
  switch (result.kind) {
    case 'accepted':
      batch.refusedSpans += Math.min(result.rejectedSpans, request.spans);
      return undefined;
    case 'refused':
      batch.refusedSpans += request.spans;
      batch.refusal = result.error;
      return undefined;
    case 'retryable':
      return { status: 'retryable', error: result.error, retryAfterMs: result.retryAfterMs };
  }
}

/** Refused spans are counted as `export_refused`; what the pipeline gives up on are paths, `export_failed`. */
function settled(batch: Batch): ExportResult {
  const { refusedSpans: lost, refusal: error } = batch;
  if (error !== undefined) return { status: 'failure', error, lost, cause: 'export_refused' };
  if (lost > 0) return { status: 'success', lost, cause: 'export_refused' };
  return { status: 'success', lost: 0 };
}
