import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SkbspanError } from '../../../src/errors.ts';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import {
  kafkaClients,
  type KafkaConnection,
  type KafkaSasl,
} from '../../../src/exporters/kafka/options.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { freePorts } from '../free-ports.ts';
import { kafkaMissing, startKafka, type Cluster } from './cluster.ts';
import { noStatistics } from './delivery-run.ts';

const PASSWORD = 'correct horse';

interface Pem {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** An authority, a server's certificate for localhost and 127.0.0.1, and a client's. */
function makeCertificates(folder: string): { readonly server: Pem; readonly client: Pem } {
  const openssl = (...words: string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  };
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=skbspan test authority',
  );
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  for (const name of ['server', 'client']) {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    );
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      'names',
      '-out',
      `${name}.pem`,
    );
  }
  const pem = (name: string): Pem => ({
    ca: read('ca.pem'),
    certificate: read(`${name}.pem`),
    key: read(`${name}.key`),
  });
  return { server: pem('server'), client: pem('client') };
}

/** A value of server.properties that has line ends in it. */
const oneLine = (pem: string): string => pem.trimEnd().replaceAll('\n', '\\n');

describe('TLS and SASL', { skip: kafkaMissing ?? false, timeout: 150_000 }, () => {
  let kafka: Cluster;
  let pems: ReturnType<typeof makeCertificates>;
  let ports: number[];
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skbspan-pem-'));
    ends.push(() => rm(folder, { recursive: true }));
    pems = makeCertificates(folder);
    ports = await freePorts(4);
    const [plain = 0, controller = 0, sasl = 0, mutual = 0] = ports;
    const login = `org.apache.kafka.common.security`;
    kafka = await startKafka(
      { after: (end) => ends.push(end) },
      {
        ports: [plain, controller],
        properties: {
          listeners: `PLAINTEXT://127.0.0.1:${plain},CONTROLLER://127.0.0.1:${controller},SASL_SSL://127.0.0.1:${sasl},SSL://127.0.0.1:${mutual}`,
          'advertised.listeners': `PLAINTEXT://127.0.0.1:${plain},SASL_SSL://localhost:${sasl},SSL://localhost:${mutual}`,
          'listener.security.protocol.map':
            'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL',
          'ssl.keystore.type': 'PEM',
          'ssl.keystore.certificate.chain': oneLine(pems.server.certificate),
          'ssl.keystore.key': oneLine(pems.server.key),
          'ssl.truststore.type': 'PEM',
          'ssl.truststore.certificates': oneLine(pems.server.ca),
          'listener.name.ssl.ssl.client.auth': 'required',
          'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
          'listener.name.sasl_ssl.plain.sasl.jaas.config': `${login}.plain.PlainLoginModule required user_writer="${PASSWORD}" user_reader="${PASSWORD}";`,
          'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
          'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': `${login}.scram.ScramLoginModule required;`,
          'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
          'super.users': 'User:ANONYMOUS;User:writer;User:CN=client',
        },
        formatArguments: [
          '--add-scram',
          `SCRAM-SHA-256=[name=writer,password=${PASSWORD}]`,
          '--add-scram',
          `SCRAM-SHA-512=[name=writer,password=${PASSWORD}]`,
        ],
      },
    );
    await kafka.createTopic('secret', 2);
  });
  after(() => Promise.all(ends.map((end) => end())));

  const trusting = (): KafkaConnection['tls'] => ({
    ca: pems.client.ca,
    certificate: undefined,
    key: undefined,
  });

  for (const client of kafkaClients) {
    const write = async (connection: KafkaConnection): Promise<void> => {
      const exporter = createKafkaExporter(
        { connection, client, topic: 'secret', format: 'json', key: 'flow', compression: 'none' },
        (notice) => assert.fail(notice),
      );
      try {
        await exporter.start();
        const paths = Object.values(packetPaths());
        assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
      } finally {
        await exporter.shutdown(2_000, noStatistics);
      }
    };
    const refused = async (connection: KafkaConnection, message: RegExp): Promise<void> => {
      await assert.rejects(write(connection), (error: unknown) => {
        assert.ok(error instanceof SkbspanError, String(error));
        assert.match(error.message, message);
        assert.ok(error.advice !== undefined);
        assert.ok(
          !`${error.message}${error.advice}`.includes(PASSWORD),
          'the password is not told',
        );
        return true;
      });
    };
    const onSasl = (sasl: Partial<KafkaSasl> = {}): KafkaConnection => ({
      brokers: [`localhost:${ports[2]}`],
      tls: trusting(),
      sasl: { mechanism: 'plain', user: 'writer', password: PASSWORD, ...sasl },
    });

    for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
      test(`${client}: ${mechanism} over TLS`, () => write(onSasl({ mechanism })));
    }
    test(`${client}: mutual TLS`, () =>
      write({ brokers: [`localhost:${ports[3]}`], tls: pems.client, sasl: undefined }));

    test(`${client}: what is wrong is said`, async () => {
      await refused(onSasl({ password: 'wrong' }), /user or password refused/);
      await refused(
        onSasl({ mechanism: 'scram-sha-256', password: 'wrong' }),
        /user or password refused/,
      );
      await refused(
        onSasl({ user: 'reader' }),
        /not allowed to (?:use the topic|write idempotently)|there is no topic/,
      );
      const noCa = { ca: undefined, certificate: undefined, key: undefined };
      await refused({ ...onSasl(), tls: noCa }, /TLS failed \(.*certificate/);
      await refused(
        { ...onSasl(), tls: undefined, sasl: undefined },
        /hung up|cannot be reached|no answer/,
      );
    });
  }
});
