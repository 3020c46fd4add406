import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { KafkaTls } from './options.ts';

/** PEM texts as Node wants them; null: plaintext. */
export const tlsOptions = (tls: KafkaTls | undefined): ConnectionOptions | null =>
  tls === undefined
    ? null
    : {
        ...(tls.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
        ...(tls.key === undefined ? {} : { key: tls.key }),
      };

/** A connection to a broker; by TLS the name is sent and checked. */
export function openSocket(
  tls: ConnectionOptions | null,
  host: string,
  port: number,
  onConnect: () => void,
): Socket {
  if (tls === null) return connect({ host, port }, onConnect);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port, ...servername, ...tls }, onConnect);
}
