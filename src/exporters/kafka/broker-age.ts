/**
 * Asks a broker which requests it knows, before a client does: the clients meet one that is too old with a broken connection, or
 * try until they are tired. Kafka answers ApiVersions 0 since 0.10, also before a login; whatever is older hangs up, and so does
 * a listener that wants TLS.
 *
 *   request  = size i32, api i16 = 18, version i16 = 0, correlation i32, client id: i16 length, bytes
 *   response = size i32, correlation i32, error i16, count i32, count * (api i16, first version i16, last version i16)
 */
import type { Socket } from 'node:net';
import { SkbspanError } from '../../errors.ts';
import { openSocket, tlsOptions } from './broker-socket.ts';
import { clientId, connectMs } from './client.ts';
import type { KafkaConnection } from './options.ts';

const API_VERSIONS = 18;
const INIT_PRODUCER_ID = 22;
const HEAD_BYTES = 14;
const ENTRY_BYTES = 6;

function request(): Buffer {
  const bytes = Buffer.alloc(4 + 10 + clientId.length);
  bytes.writeInt32BE(bytes.length - 4, 0);
  bytes.writeInt16BE(API_VERSIONS, 4);
  bytes.writeInt16BE(clientId.length, 12);
  bytes.write(clientId, 14, 'latin1');
  return bytes;
}

/** Does it know the request that makes writing idempotent, which came with 0.11? */
function isNewEnough(response: Buffer): boolean {
  for (let at = HEAD_BYTES; at + ENTRY_BYTES <= response.length; at += ENTRY_BYTES)
    if (response.readInt16BE(at) === INIT_PRODUCER_ID) return true;
  return false;
}

type Answer = 'good' | 'old' | 'hung up' | 'nothing';

/** Resolves always. */
function ask(broker: string, { tls }: KafkaConnection): Promise<Answer> {
  const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(broker) ?? [];
  return new Promise((resolve) => {
    let connected = false;
    let said = Buffer.alloc(0);
    const socket: Socket = openSocket(tlsOptions(tls), host, Number(port), () => {
      connected = true;
      socket.write(request());
    });
    const settle = (answer: Answer): void => {
      resolve(answer);
      socket.destroy();
    };
    socket.setTimeout(connectMs, () => {
      settle('nothing');
    });
    socket.on('data', (chunk: Buffer) => {
      said = Buffer.concat([said, chunk]);
      if (said.length < HEAD_BYTES || said.length < 4 + said.readInt32BE(0)) return;
      settle(isNewEnough(said) ? 'good' : 'old');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      settle(connected && said.length === 0 ? 'hung up' : 'nothing');
    });
  });
}

/**
 * Throws SKBSPAN_EXPORT if the first broker that can be reached is older than Kafka 0.11, or hangs up on a question that every
 * later one answers. Whatever else is wrong the client says.
 */
export async function checkBrokerAge(connection: KafkaConnection): Promise<void> {
  for (const broker of connection.brokers) {
    const answer = await ask(broker, connection);
    if (answer === 'good') return;
    if (answer === 'old') {
      throw new SkbspanError('SKBSPAN_EXPORT', `Kafka ${broker}: the broker is too old.`, {
        advice: 'skbspan needs Kafka 0.11 or later, and is tested with 3.9 and 4.1.',
        cause: { type: 'UNSUPPORTED_VERSION' },
      });
    }
    if (answer === 'hung up' && connection.tls === undefined) {
      throw new SkbspanError('SKBSPAN_EXPORT', `Kafka ${broker}: the broker hung up.`, {
        advice:
          'A listener that wants TLS does so: try --kafka-tls. So does Kafka before 0.10, which is too old.',
      });
    }
  }
}
