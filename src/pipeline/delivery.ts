import type { Exporter, ExportResult } from '../event/exporter.ts';
import type { PacketPath } from '../event/packet-path.ts';
import type { LossCause } from '../event/statistics.ts';
import type { Clock } from './clock.ts';

/** Waits between tries: `initialMs`, doubled up to `maxMs`, each shortened by up to a half at random. */
export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

export interface DeliveryOptions {
  readonly clock: Clock;
  readonly backoff: Backoff;
  /** 0 up to 1. */
  readonly random: () => number;
  /** Clock time after which no try begins; asked again after `closing` fired, which may bring it forward. */
  readonly giveUpAt: () => number;
  readonly closing: AbortSignal;
  readonly onRetry: (error: Error) => void;
}

/** What became of a batch in the end: nothing lost, or how much, why, and with which error. */
export interface Delivery {
  readonly lost: number;
  readonly cause: LossCause;
  readonly error: Error | undefined;
}

async function attempt(exporter: Exporter, paths: readonly PacketPath[]): Promise<ExportResult> {
  try {
    return await exporter.export(paths);
  } catch (cause) {
    // Against its contract; one bad exporter must not end the others.
    const error = cause instanceof Error ? cause : new Error(String(cause));
    return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
  }
}

/**
 * Hands `paths` to the exporter until it has them or says no for good. A wait that the backend asks for (`retryAfterMs`) is
 * kept exactly; a try that would begin after `giveUpAt` is not made and all paths count as not delivered.
 */
export async function deliver(
  exporter: Exporter,
  paths: readonly PacketPath[],
  { clock, backoff, random, giveUpAt, closing, onRetry }: DeliveryOptions,
): Promise<Delivery> {
  for (let wait = backoff.initialMs; ; wait = Math.min(wait * 2, backoff.maxMs)) {
    const result = await attempt(exporter, paths);
    if (result.status === 'success') {
      return { lost: result.lost, cause: result.cause ?? 'export_refused', error: undefined };
    }
    if (result.status === 'failure') return result;

    const gaveUp: Delivery = { lost: paths.length, cause: 'export_failed', error: result.error };
    const next = clock.now() + (result.retryAfterMs ?? wait * (1 - random() / 2));
    if (next > giveUpAt()) return gaveUp;
    onRetry(result.error);
    await clock.sleep(next - clock.now(), closing);
    if (next > giveUpAt()) return gaveUp;
    // Woken by `closing`, but there is time left to keep the wait.
    if (clock.now() < next) await clock.sleep(next - clock.now());
  }
}
