// An authority, and what it signed: a server's certificate for localhost and 127.0.0.1, and a client's. PEM files in a folder.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export interface Certificates {
  readonly ca: string;
  readonly server: { readonly certificate: string; readonly key: string };
  readonly client: { readonly certificate: string; readonly key: string };
}

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

export function makeCertificates(t: TestContext): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-pem-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const openssl = (line: string, ...more: string[]): void => {
    execFileSync('openssl', [...line.split(' '), ...more], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  };
  const key = 'req -newkey rsa:2048 -nodes';
  openssl(`${key} -x509 -keyout ca.key -out ca.pem -days 2 -subj`, '/CN=skbspan test authority');
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signed = (name: string): { certificate: string; key: string } => {
    openssl(`${key} -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`);
    openssl(
      `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out ${name}.pem`,
    );
    return { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) };
  };
  return { ca: join(folder, 'ca.pem'), server: signed('server'), client: signed('client') };
}
