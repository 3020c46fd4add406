// An OTLP/HTTP receiver in this process: answers as told and keeps what it got.
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { spansOf, type Owner, type ReceivedSpan } from './receiver.ts';

export interface HttpRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Uncompressed. */
  readonly body: Buffer;
}

export interface HttpReply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** A reply, no reply at all, or the connection is cut. */
export type HttpAnswer = HttpReply | 'never' | 'cut';

export interface HttpReceiver {
  readonly endpoint: string;
  /** The probe's have no body. */
  readonly requests: readonly HttpRequest[];
  /** How many connections there were. */
  readonly connections: () => number;
  /** Spans of the requests that were answered with 200. */
  delivered(): ReceivedSpan[];
  closeIdle(): void;
}

export interface HttpListen {
  readonly socket?: string;
  readonly tls?: ServerOptions;
  /** What the empty request of the start gets; default: OK. */
  readonly probe?: HttpAnswer;
  /** Milliseconds before an answer. */
  readonly delay?: number;
}

export const ok: HttpReply = { headers: { 'content-type': 'application/x-protobuf' } };

/** `answer` is asked for each request that has a body, counted from 0. */
export async function startHttpReceiver(
  t: Owner,
  answer: (index: number) => HttpAnswer = () => ok,
  { socket, tls, probe = ok, delay = 0 }: HttpListen = {},
): Promise<HttpReceiver> {
  const requests: HttpRequest[] = [];
  const accepted: HttpRequest[] = [];
  let withBody = 0;
  const sockets = new Set<Socket>();
  let connections = 0;

  const reply = (told: HttpAnswer, response: ServerResponse): void => {
    if (told === 'never') return;
    if (told === 'cut') {
      response.destroy();
      return;
    }
    response.writeHead(told.status ?? 200, told.headers ?? {});
    response.end(told.body);
  };
  const listener: RequestListener = (incoming, response) => {
    void buffer(incoming).then((raw) => {
      const { url: path = '', headers } = incoming;
      const body = headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      const request = { path, headers, body };
      requests.push(request);
      const told = body.length === 0 ? probe : answer(withBody++);
      if (typeof told === 'object' && (told.status ?? 200) === 200) accepted.push(request);
      setTimeout(reply, delay, told, response);
    });
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  server.on(tls === undefined ? 'connection' : 'secureConnection', (one: Socket) => {
    connections++;
    sockets.add(one);
    one.on('close', () => sockets.delete(one));
  });
  if (socket === undefined) server.listen(0, '127.0.0.1');
  else server.listen(socket);
  await once(server, 'listening');
  t.after(async () => {
    for (const one of sockets) one.destroy();
    server.close();
    await once(server, 'close');
  });
  const port = socket === undefined ? (server.address() as AddressInfo).port : 0;
  return {
    endpoint:
      socket === undefined
        ? `${tls === undefined ? 'http://127.0.0.1' : 'https://localhost'}:${port}`
        : `unix://${socket}`,
    requests,
    connections: () => connections,
    delivered: () => accepted.flatMap(({ body }) => spansOf(body)),
    closeIdle() {
      server.closeIdleConnections();
    },
  };
}

const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);

/** An ExportTraceServiceResponse that took all spans but these; `rejected` below 128. */
export const partialSuccess = (rejected: number, message = ''): HttpReply => ({
  ...ok,
  body: field(1, Buffer.concat([Buffer.from([0x08, rejected]), field(2, Buffer.from(message))])),
});

/** A google.rpc.Status. */
export const statusReply = (status: number, message: string): HttpReply => ({
  ...ok,
  status,
  body: Buffer.concat([Buffer.from([0x08, 3]), field(2, Buffer.from(message))]),
});
