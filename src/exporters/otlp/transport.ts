import type { SkbspanError } from '../../errors.ts';
import type { OtlpConfig } from './config.ts';

/*
 * The border between what is sent and how: requests in bytes on one side, gRPC or HTTP on the other.
 */

/** What the server said of one request. */
export type SendResult =
  | { readonly kind: 'accepted'; readonly rejectedSpans: number }
  | {
      readonly kind: 'retryable';
      readonly error: SkbspanError;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly kind: 'refused'; readonly error: SkbspanError };

export interface Transport {
  /** Never rejects. */
  send(request: Uint8Array): Promise<SendResult>;
  /** Sends an empty request; throws SkbspanError with advice if the service is not at the endpoint. */
  probe(): Promise<void>;
  /** Ends what is still on its way. */
  close(): void;
}

export type Service = 'traces' | 'metrics';

/** Opens no connection yet; throws UsageError on headers or TLS files that cannot be used. Loads only the protocol in use. */
export async function createTransport(
  config: OtlpConfig,
  service: Service = 'traces',
): Promise<Transport> {
  if (config.protocol === 'grpc') {
    const { createGrpcTransport } = await import('./grpc-transport.ts');
    return createGrpcTransport(config, service);
  }
  const { createHttpTransport } = await import('./http-transport.ts');
  return createHttpTransport(config, service);
}
