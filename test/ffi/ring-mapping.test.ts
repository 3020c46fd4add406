import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createRawMap } from '../../src/ffi/bpf-syscall.ts';
import { openHandles } from '../../src/ffi/handles.ts';
import { closeFd } from '../../src/ffi/libc.ts';
import { mapRing } from '../../src/ffi/ring-mapping.ts';
import { cannotLoad } from './sample-object.ts';

test(
  'two mappings, one of them in a worker thread, see one ring',
  { skip: cannotLoad() },
  async (t) => {
    const fd = createRawMap('ringbuf', 0, 0, 8192);
    t.after(() => {
      closeFd(fd);
    });
    const ring = mapRing(fd, 8192);
    t.after(() => {
      ring.close();
      assert.deepEqual(openHandles(), []);
    });
    assert.equal(ring.consumer.byteLength, ring.pageBytes);
    assert.equal(ring.producer.byteLength, ring.pageBytes + 2 * 8192);
    const module = new URL('../../src/ffi/ring-mapping.ts', import.meta.url).href;
    const worker = new Worker(
      `import { mapRing } from ${JSON.stringify(module)};
     const ring = mapRing(${fd}, 8192);
     new BigUint64Array(ring.consumer)[0] = 4096n;
     ring.close();`,
      { eval: true, execArgv: ['--input-type=module'] },
    );
    const [code] = await new Promise<[number]>((resolve, reject) => {
      worker.on('error', reject);
      worker.on('exit', (exitCode) => {
        resolve([exitCode]);
      });
    });
    assert.equal(code, 0);
    assert.equal(new BigUint64Array(ring.consumer)[0], 4096n);
  },
);

test('a map that is no ring buffer: an error, nothing left open', { skip: cannotLoad() }, () => {
  const fd = createRawMap('array', 4, 8, 1);
  assert.throws(() => mapRing(fd, 4096), /^SystemError: mmap/);
  closeFd(fd);
  assert.deepEqual(openHandles(), []);
});
