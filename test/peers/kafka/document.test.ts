// docs/kafka.md and docker-compose.yml, taken at their word.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { freePorts } from '../free-ports.ts';
import { jarsOf, kafkaMissing, newestKafka, startKafka } from './cluster.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Programs that the document names, as their packages would install them. */
function installTools(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-tools-'));
  t.after(() => rm(folder, { recursive: true }));
  const tools = {
    'kafka-topics.sh': `exec java -cp '${jarsOf(newestKafka)}/*' org.apache.kafka.tools.TopicCommand "$@"`,
    skbspan: `exec '${process.execPath}' '${join(root, 'src/cli/main.ts')}' "$@"`,
  };
  for (const [name, line] of Object.entries(tools)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${line}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

interface Compose {
  readonly services: {
    readonly kafka: {
      readonly image: string;
      readonly environment: Readonly<Record<string, string | number>>;
    };
  };
}

/** As the image makes server.properties of its environment: KAFKA_NODE_ID is node.id. */
function brokerSettings(): Record<string, string> {
  const { kafka } = (parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8')) as Compose)
    .services;
  assert.equal(kafka.image, `apache/kafka:${newestKafka}`);
  return Object.fromEntries(
    Object.entries(kafka.environment).map(([name, value]) => [
      name
        .replace(/^KAFKA_/, '')
        .toLowerCase()
        .replaceAll('_', '.'),
      String(value),
    ]),
  );
}

test(
  'the five commands from topic to answer, with the broker of docker-compose.yml',
  { skip: kafkaMissing ?? false, timeout: 120_000 },
  async (t) => {
    execFileSync('docker-compose', ['-f', join(root, 'docker-compose.yml'), 'config', '-q']);
    const ports = await freePorts(2);
    const [port = 0, controller = 0] = ports;
    const settings = brokerSettings();
    // Nothing but the addresses is changed.
    for (const [name, value] of Object.entries(settings)) {
      settings[name] = value
        .replace(/(:\/\/|@)[a-z]*:9092/g, `$1127.0.0.1:${port}`)
        .replace(/(:\/\/|@)[a-z]*:9093/g, `$1127.0.0.1:${controller}`);
    }
    const kafka = await startKafka(t, { ports, properties: settings });

    const document = readFileSync(join(root, 'docs/kafka.md'), 'utf8');
    const block = /## From topic to answer in five commands\n\n```sh\n([^`]*)```/.exec(
      document,
    )?.[1];
    const commands = (block ?? '').trimEnd().split('\n');
    assert.equal(commands.length, 5);

    const work = mkdtempSync(join(tmpdir(), 'skbspan-answer-'));
    t.after(() => rm(work, { recursive: true }));
    const PATH = [installTools(t), process.env['PATH'] ?? ''].join(delimiter);
    // Datagrams to a port where nobody listens: the kernel drops them.
    const traffic = setInterval(() => {
      execFile('bash', ['-c', 'echo > /dev/udp/127.0.0.1/9']);
    }, 200);
    t.after(() => {
      clearInterval(traffic);
    });
    const said: string[] = [];
    for (const command of commands) {
      const line = command
        .replaceAll('broker:9092', kafka.addresses.join())
        .replaceAll('hops.parquet', join(work, 'hops.parquet'));
      const { stdout } = await promisify(execFile)('sh', ['-c', line], {
        cwd: root,
        env: { ...process.env, PATH },
        maxBuffer: 1e8,
      });
      said.push(stdout);
    }
    const drops = (said[3] ?? '')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const dropped = drops.find((row) => row['drop_reason'] === 'NO_SOCKET');
    assert.ok(dropped !== undefined, said[3]);
    assert.equal(dropped['query'], 'drops');
    assert.ok(Number(dropped['drops']) >= 10, said[3]);
    assert.equal(dropped['host'], execFileSync('hostname').toString().trim());
  },
);
