import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import kafkajs from 'kafkajs';
import type { ISocketFactory } from 'kafkajs';

export interface Sockets {
  readonly open: ISocketFactory;
  readonly closed: boolean;
  /** Ends all connections at once; none is opened from then on. */
  close(): void;
}

/**
 * kafkajs's connections, so that they can be ended. Its own disconnect waits for what is under way, and a send that tries again
 * connects again. An error that says it is not retriable ends that too.
 */
export function createSockets(): Sockets {
  const opened = new Set<Socket>();
  let closed = false;
  const refusal = (): Error => new kafkajs.KafkaJSNonRetriableError('the client is closed');

  return {
    get closed() {
      return closed;
    },
    open({ host, port, ssl, onConnect }) {
      if (closed) throw refusal();
      const socket = connectBy(ssl, host, port, onConnect);
      socket.setKeepAlive(true, 60_000);
      opened.add(socket);
      socket.once('close', () => opened.delete(socket));
      return socket;
    },
    close() {
      closed = true;
      for (const socket of opened) socket.destroy(refusal());
    },
  };
}

/** kafkajs's type says that there always is a `tls`; without TLS it is null. */
function connectBy(
  tls: ConnectionOptions | null,
  host: string,
  port: number,
  onConnect: () => void,
): Socket {
  if (tls === null) return connect({ host, port }, onConnect);
  const servername = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port, ...servername, ...tls }, onConnect);
}
