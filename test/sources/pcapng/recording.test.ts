import assert from 'node:assert/strict';
import test from 'node:test';
import { createRecordingReader } from '../../../src/sources/pcapng/recording.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { record } from './record.ts';

for (const [name, path] of Object.entries(packetPaths())) {
  test(`${name}: what was recorded comes back exactly`, () => {
    const reader = createRecordingReader('test');
    const paths = reader.push(record([path]));
    reader.end();
    assert.deepEqual(paths, [path]);
    assert.equal(reader.statistics().losses.get('recording'), 0);
  });
}
