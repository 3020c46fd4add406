/** What hop mode writes of a life's sockets and connections: a comment each, beside the first record of the life. */
import type { ConntrackSight, ConntrackTuple, SocketSight } from '../../event/packet-path.ts';
import type { BlockBuffer } from './block-buffer.ts';
import { putOwner } from './hop-comments.ts';
import { putBig, putHex, putNumber, putText, putTime } from './hop-words.ts';
import { key, type WordKey } from './word-keys.ts';
import { commentKind, encodeWord } from './words.ts';

/** `life` is the id. */
export function putSocket(out: BlockBuffer, socket: SocketSight, life: number): void {
  const { state, uid, cgroup } = socket;
  out.text(commentKind.socket);
  putText(out, key.family, socket.family);
  putText(out, key.type, socket.type);
  putText(out, key.protocol, socket.protocol);
  if (state !== '') putText(out, key.state, state);
  putText(out, key.src, socket.localAddress);
  putNumber(out, key.sport, socket.localPort);
  putText(out, key.dst, socket.remoteAddress);
  putNumber(out, key.dport, socket.remotePort);
  putNumber(out, key.inode, socket.inode);
  if (uid !== undefined) putNumber(out, key.uid, uid);
  putText(out, key.netns, socket.netnsName);
  putNumber(out, key.netinode, socket.netns);
  if (cgroup !== 0n) putBig(out, key.cgroup, cgroup);
  putOwner(out, socket);
  putHex(out, key.addr, socket.address);
  putMoment(out, socket, life);
}

/** `life` is the id. */
export function putConntrack(out: BlockBuffer, conntrack: ConntrackSight, life: number): void {
  out.text(commentKind.conntrack);
  putText(out, key.info, conntrack.info);
  out.key(key.status);
  out.text(conntrack.status.map(encodeWord).join(','));
  putNumber(out, key.zone, conntrack.zone);
  putHex(out, key.mark, conntrack.mark);
  putTuple(out, originalKeys, conntrack.original);
  putTuple(out, replyKeys, conntrack.reply);
  putMoment(out, conntrack, life);
}

function putMoment(
  out: BlockBuffer,
  { offsetNs, seq }: Pick<SocketSight, 'offsetNs' | 'seq'>,
  life: number,
): void {
  putTime(out, key.at, offsetNs);
  putNumber(out, key.seq, seq);
  putNumber(out, key.life, life);
}

/** The keys of a connection's addresses in one of its directions. */
export interface TupleKeys {
  readonly transport: WordKey;
  readonly source: WordKey;
  readonly sourcePort: WordKey;
  readonly destination: WordKey;
  readonly destinationPort: WordKey;
}

export const originalKeys: TupleKeys = {
  transport: key.otransport,
  source: key.osrc,
  sourcePort: key.osport,
  destination: key.odst,
  destinationPort: key.odport,
};

export const replyKeys: TupleKeys = {
  transport: key.rtransport,
  source: key.rsrc,
  sourcePort: key.rsport,
  destination: key.rdst,
  destinationPort: key.rdport,
};

function putTuple(out: BlockBuffer, keys: TupleKeys, tuple: ConntrackTuple): void {
  const { sourcePort, destinationPort } = tuple;
  putText(out, keys.transport, tuple.transport);
  putText(out, keys.source, tuple.sourceAddress);
  if (sourcePort !== undefined) putNumber(out, keys.sourcePort, sourcePort);
  putText(out, keys.destination, tuple.destinationAddress);
  if (destinationPort !== undefined) putNumber(out, keys.destinationPort, destinationPort);
}
