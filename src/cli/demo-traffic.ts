import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { SkbspanError } from '../errors.ts';
import { programFile } from '../package-files.ts';
import { type DemoHost, runProgram } from './demo-network.ts';

const tcpPort = 8080;
/** The other end. */
const peerFile = programFile('cli/demo-peer');

const inside = (host: DemoHost, ...command: string[]): Promise<string> =>
  runProgram('nsenter', `--net=${host.netnsPath}`, ...command);

const peer = (host: DemoHost, role: string, address: string, port: number): Promise<string> =>
  inside(host, process.execPath, peerFile, role, address, String(port));

/** One echo request from `from` to `to`, and its reply. */
export async function ping(from: DemoHost, to: DemoHost): Promise<void> {
  await inside(from, 'ping', '-n', '-q', '-c', '1', '-W', '2', to.address);
}

async function listening(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit').then(([code]) => {
    throw new SkbspanError('SKBSPAN_INTERNAL', `the demo's TCP server ended with ${String(code)}`);
  });
  if (server.stdout !== null) await Promise.race([once(server.stdout, 'data'), ended]);
}

/** A TCP connection from `from` to `to`: a line there, a line back, closed by both. */
export async function exchangeTcp(from: DemoHost, to: DemoHost): Promise<void> {
  const command = [`--net=${to.netnsPath}`, process.execPath, peerFile, 'tcp-server', to.address];
  const server = spawn('nsenter', [...command, String(tcpPort)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await listening(server);
    await peer(from, 'tcp-client', to.address, tcpPort);
  } finally {
    server.kill('SIGKILL');
  }
}

/** One datagram from `from` to a port of `to`; nothing listens there. */
export async function sendUdp(from: DemoHost, to: DemoHost, port: number): Promise<void> {
  await peer(from, 'udp-send', to.address, port);
}
