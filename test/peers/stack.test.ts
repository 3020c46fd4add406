// The files of docker-compose.yml: what each service says of its own, as far as it can be run here.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { metricNames } from '../../src/exporters/metrics/metric-names.ts';
import { jaegerBinary, jaegerMissing } from './jaeger.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

interface Compose {
  readonly services: Readonly<
    Record<string, { readonly image: string; readonly volumes?: readonly string[] }>
  >;
}
const { services } = parse(read('docker-compose.yml')) as Compose;

const hasCompose = spawnSync('docker-compose', ['version']).status === 0;
test(
  'docker-compose takes the file',
  { skip: hasCompose ? false : 'docker-compose is not installed' },
  () => {
    execFileSync('docker-compose', ['config', '-q'], { cwd: root, stdio: 'pipe' });
  },
);

test('every image has its version, and every mounted file is there', () => {
  for (const [name, { image, volumes = [] }] of Object.entries(services)) {
    assert.match(image, /:v?\d+[\w.-]*$/, name);
    for (const volume of volumes) {
      const [path = ''] = volume.split(':');
      if (path.startsWith('./') && path.includes('.yaml')) assert.notEqual(read(path), '', path);
    }
  }
});

for (const file of ['collector', 'jaeger'])
  test(`a Collector takes config/stack/${file}.yaml`, { skip: jaegerMissing ?? false }, () => {
    const config = `config/stack/${file}.yaml`;
    execFileSync(jaegerBinary, ['validate', '--config', config], { cwd: root, stdio: 'pipe' });
  });

test('the dashboard asks for metrics that there are', () => {
  const known = new Set(Object.keys(metricNames).map((name) => name.replaceAll('.', '_')));
  const dashboard = read('config/stack/grafana/dashboards/skbspan.json');
  const asked = [...dashboard.matchAll(/skbspan_[a-z_]+?(?=_total|_bucket| \/|\[|\)|")/g)].map(
    ([name]) => name,
  );
  const metrics = asked.filter((name) => [...known].some((one) => name.startsWith(one)));
  assert.ok(metrics.length >= 6, asked.join(' '));
  for (const name of metrics) assert.ok(known.has(name), name);
});
