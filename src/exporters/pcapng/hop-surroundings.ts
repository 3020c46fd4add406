/** What hop mode writes of a life's sockets and connections: a comment each, beside the first record of the life. */
import type { ConntrackSight, ConntrackTuple, Life, SocketSight } from '../../event/packet-path.ts';
import { ownerWords } from './hop-comments.ts';
import { commentKind, encodeWord } from './words.ts';

export const surroundings = (life: Life): string[] => [
  ...life.sockets.map((socket) => socketComment(socket, life.id)),
  ...life.conntracks.map((conntrack) => conntrackComment(conntrack, life.id)),
];

function socketComment(socket: SocketSight, life: number): string {
  const { state, uid, cgroup } = socket;
  let words =
    `${commentKind.socket} family=${encodeWord(socket.family)} type=${encodeWord(socket.type)}` +
    ` protocol=${encodeWord(socket.protocol)}${state === '' ? '' : ` state=${encodeWord(state)}`}` +
    ` src=${encodeWord(socket.localAddress)} sport=${socket.localPort}` +
    ` dst=${encodeWord(socket.remoteAddress)} dport=${socket.remotePort}` +
    ` inode=${socket.inode}${uid === undefined ? '' : ` uid=${uid}`}` +
    ` netns=${encodeWord(socket.netnsName)} netinode=${socket.netns}`;
  if (cgroup !== 0n) words += ` cgroup=${cgroup}`;
  words += ownerWords(socket);
  return `${words} addr=0x${socket.address.toString(16)} at=${socket.offsetNs}ns seq=${socket.seq} life=${life}`;
}

function conntrackComment(conntrack: ConntrackSight, life: number): string {
  const { info, status, zone, mark, original, reply } = conntrack;
  return (
    `${commentKind.conntrack} info=${encodeWord(info)} status=${status.map(encodeWord).join(',')}` +
    ` zone=${zone} mark=0x${mark.toString(16)}${tupleWords('o', original)}${tupleWords('r', reply)}` +
    ` at=${conntrack.offsetNs}ns seq=${conntrack.seq} life=${life}`
  );
}

/** `prefix`: o for the original direction, r for the replies. */
function tupleWords(prefix: string, tuple: ConntrackTuple): string {
  const { sourcePort, destinationPort } = tuple;
  return (
    ` ${prefix}transport=${encodeWord(tuple.transport)} ${prefix}src=${encodeWord(tuple.sourceAddress)}` +
    (sourcePort === undefined ? '' : ` ${prefix}sport=${sourcePort}`) +
    ` ${prefix}dst=${encodeWord(tuple.destinationAddress)}` +
    (destinationPort === undefined ? '' : ` ${prefix}dport=${destinationPort}`)
  );
}
