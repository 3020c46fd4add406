import type { Socket } from 'node:net';
import kafkajs from 'kafkajs';
import type { ISocketFactory } from 'kafkajs';
import { openSocket } from './broker-socket.ts';

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
      const socket = openSocket(ssl, host, port, onConnect);
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
