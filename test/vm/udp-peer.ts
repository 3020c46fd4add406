// Runs in the guest. `node udp-peer.ts serve PORT UID READY`: takes datagrams as that user; READY is there when it does.
// `node udp-peer.ts send COUNT HOST:PORT[:TTL[:BYTES]] ...`: COUNT datagrams to each.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [mode, ...args] = process.argv.slice(2);
const socket = createSocket('udp4');
if (mode === 'serve') {
  const [port, uid, ready = ''] = args;
  // A socket belongs to whoever makes it.
  process.setuid?.(Number(uid));
  socket.bind(Number(port));
  await once(socket, 'listening');
  socket.on('message', () => undefined);
  writeFileSync(ready, `${process.pid}`);
} else {
  const [count, ...targets] = args;
  socket.bind(0);
  await once(socket, 'listening');
  for (const target of targets) {
    const [host, port, ttl = '64', bytes] = target.split(':');
    const data = bytes === undefined ? 'to and fro' : Buffer.alloc(Number(bytes), 'to and fro');
    socket.setTTL(Number(ttl));
    for (let sent = 0; sent < Number(count); sent++) {
      socket.send(data, Number(port), host);
      await sleep(30);
    }
  }
  await sleep(100);
  socket.close();
}
