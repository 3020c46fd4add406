import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { kafkaClients } from '../../../src/exporters/kafka/options.ts';
import { kafkaMissing, startKafka } from './cluster.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

test(
  'the command on real packets, ended by Ctrl-C in the middle of them: every packet is a record',
  { skip: kafkaMissing ?? false, timeout: 90_000 },
  async (t) => {
    const kafka = await startKafka(t);
    for (const client of kafkaClients) {
      const topic = `live-${client}`;
      await kafka.createTopic(topic, 3);
      const options = [
        '--kafka',
        kafka.addresses.join(','),
        '--kafka-client',
        client,
        '--kafka-topic',
        topic,
      ];
      const child = spawn(process.execPath, [main, 'trace', ...options, '--format', 'none'], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      t.after(() => child.kill('SIGKILL'));
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      while (!said.includes('Ctrl-C ends it') && child.exitCode === null) await sleep(50);
      execFileSync('ping', ['-c', '50', '-i', '0.01', '-q', '127.0.0.1']);
      child.kill('SIGINT');
      await once(child, 'close');
      assert.equal(child.exitCode, 0, said);
      assert.match(said, /nothing lost/);
      const packets = Number(/^([\d,]+) packets/m.exec(said)?.[1]?.replaceAll(',', ''));
      assert.ok(packets >= 100, said);
      assert.equal(await kafka.count(topic), packets, client);
    }
  },
);
