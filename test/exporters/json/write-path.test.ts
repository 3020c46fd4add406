import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonLine, pathRecord } from '../../../src/exporters/json/records.ts';
import { writePath } from '../../../src/exporters/json/write-path.ts';
import { longPath } from '../otlp/long-path.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import { packetPaths, tcpSegmentPath } from '../../fixtures/packet-paths.ts';

test('the text is that of the record, to the byte', () => {
  const paths = [...Object.values(packetPaths()), ...take(manyPaths(), 50), longPath(300)];
  for (const path of paths) assert.equal(`${writePath(path)}\n`, jsonLine(pathRecord(path)));
});

test('names are escaped as in the record', () => {
  const evil = 'a\n\u001b[31m\u007f\u009b\u2028\ud800"\\';
  const path = tcpSegmentPath();
  const lives = path.lives.map((life) => ({
    ...life,
    calls: life.calls.map((call) => ({
      ...call,
      func: evil,
      module: evil,
      task: { ...call.task, comm: evil },
      device: { ...call.device, name: evil },
    })),
  }));
  const bad = { ...path, lives };
  assert.equal(`${writePath(bad)}\n`, jsonLine(pathRecord(bad)));
});
