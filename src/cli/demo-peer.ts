/**
 * One end of the demo's traffic; `skbspan demo` runs it inside a network namespace, as a process of its own.
 *   demo-peer tcp-server ADDRESS PORT    says "ready", answers one connection, ends
 *   demo-peer tcp-client ADDRESS PORT    asks, reads the answer, ends
 *   demo-peer udp-send ADDRESS PORT      sends one datagram, ends
 */
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';

const roles: Readonly<Record<string, (address: string, port: number) => void>> = {
  'tcp-server': (address, port) => {
    const server = createServer((socket) => {
      socket.on('data', () => socket.end('hello from b\n'));
      socket.on('close', () => server.close());
    });
    server.listen(port, address, () => process.stdout.write('ready\n'));
  },
  'tcp-client': (address, port) => {
    const socket = connect(port, address, () => socket.write('hello from a\n'));
    socket.resume();
  },
  'udp-send': (address, port) => {
    const socket = createSocket('udp4');
    socket.send('blocked\n', port, address, () => socket.close());
  },
};

const [role = '', address = '', port] = process.argv.slice(2);
const play = roles[role];
if (play === undefined) throw new Error('usage: demo-peer ROLE ADDRESS PORT');
// What the paths show as the task; it would be `MainThread`.
process.title = role;
play(address, Number(port));
