import { readFields } from './protobuf-fields.ts';

/*
 * How long a server asks to wait. It says so in the trailer `grpc-status-details-bin`, a google.rpc.Status:
 *
 *   Status     3 repeated Any details
 *   Any        1 string type_url ("type.googleapis.com/google.rpc.RetryInfo"), 2 bytes value
 *   RetryInfo  1 Duration retry_delay
 *   Duration   1 int64 seconds, 2 int32 nanos
 */

const bytesOf = (message: Uint8Array, number: number): readonly Uint8Array[] =>
  [...readFields(message)].flatMap((field) =>
    field.number === number && field.value instanceof Uint8Array ? [field.value] : [],
  );

const numberOf = (message: Uint8Array, number: number): number => {
  const values = [...readFields(message)].map((field) =>
    field.number === number && typeof field.value === 'number' ? field.value : 0,
  );
  return Math.max(0, ...values);
};

/** Milliseconds of the RetryInfo in a `grpc-status-details-bin` trailer; undefined if there is none. */
export function readRetryDelayMs(statusDetails: Uint8Array): number | undefined {
  for (const any of bytesOf(statusDetails, 3)) {
    const [typeUrl] = bytesOf(any, 1);
    const [retryInfo] = bytesOf(any, 2);
    if (typeUrl === undefined || !Buffer.from(typeUrl).toString().endsWith('google.rpc.RetryInfo'))
      continue;
    const [delay] = retryInfo === undefined ? [] : bytesOf(retryInfo, 1);
    if (delay === undefined) return 0;
    return numberOf(delay, 1) * 1000 + Math.ceil(numberOf(delay, 2) / 1e6);
  }
  return undefined;
}
