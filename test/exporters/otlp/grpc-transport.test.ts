import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ServerCredentials } from '@grpc/grpc-js';
import { resolveOtlpConfig, type OtlpConfig } from '../../../src/exporters/otlp/config.ts';
import { createTransport, type Transport } from '../../../src/exporters/otlp/transport.ts';
import { startReceiver } from './receiver.ts';

function makeFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

async function connect(t: TestContext, config: OtlpConfig): Promise<Transport> {
  const transport = await createTransport(config);
  t.after(() => {
    transport.close();
  });
  return transport;
}

const configOf = (endpoint: string, env: Readonly<Record<string, string>> = {}): OtlpConfig =>
  resolveOtlpConfig({ endpoint, clones: 'same_trace' }, env);

// TracesData with one empty ResourceSpans.
const request = Uint8Array.of(0x0a, 0x00);

test('a unix socket', async (t) => {
  const path = join(makeFolder(t), 'otlp.sock');
  const receiver = await startReceiver(t, undefined, { address: `unix:${path}` });
  const transport = await connect(t, configOf(`unix://${path}`));

  await transport.probe();
  assert.deepEqual(await transport.send(request), { kind: 'accepted', rejectedSpans: 0 });
  assert.equal(receiver.requests.length, 1);
});

test('headers that gRPC cannot send are a usage error', async () => {
  const config = { ...configOf('http://127.0.0.1:1'), headers: { 'a b': 'x' } };
  await assert.rejects(createTransport(config), { code: 'SKBSPAN_USAGE', message: /'a b'/ });
});

test('a certificate that is none is a usage error', async () => {
  const junk = Buffer.from('no pem');
  const config = {
    ...configOf('https://127.0.0.1:1'),
    tls: { root: junk, key: junk, certificate: junk },
  };
  await assert.rejects(createTransport(config), { code: 'SKBSPAN_USAGE', message: /not usable/ });
});

const hasOpenssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test(
  'TLS with both sides known; refused without the client certificate or the authority',
  { skip: hasOpenssl ? false : 'openssl is not installed: nothing to make certificates with' },
  async (t) => {
    const folder = makeFolder(t);
    const key = join(folder, 'key.pem');
    const certificate = join(folder, 'certificate.pem');
    // One self-signed certificate is server, client and authority.
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '2',
      ]
        .concat(['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'])
        .concat(['-keyout', key, '-out', certificate]),
      { stdio: 'ignore' },
    );
    const pair = { private_key: readFileSync(key), cert_chain: readFileSync(certificate) };
    const receiver = await startReceiver(t, undefined, {
      credentials: ServerCredentials.createSsl(pair.cert_chain, [pair], true),
    });
    const endpoint = receiver.endpoint.replace('http://127.0.0.1', 'https://localhost');
    const authority = { OTEL_EXPORTER_OTLP_CERTIFICATE: certificate };
    const both = {
      ...authority,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: key,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificate,
    };

    const transport = await connect(t, configOf(endpoint, both));
    await transport.probe();
    assert.equal((await transport.send(request)).kind, 'accepted');

    await assert.rejects((await connect(t, configOf(endpoint, authority))).probe(), {
      code: 'SKBSPAN_EXPORT',
    });
    await assert.rejects((await connect(t, configOf(endpoint))).probe(), {
      code: 'SKBSPAN_EXPORT',
      message: /TLS failed/,
      advice: /OTEL_EXPORTER_OTLP_CERTIFICATE/,
    });
  },
);
