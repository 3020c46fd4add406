// Runs in the guest: `node test/vm/guest.ts KERNEL [NAME...]`, all cases of a kernel or those whose name has one of the
// words in it. Each leaves a folder in /results; what went wrong stands in its file `error`. The host judges.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelNames } from '../../scripts/vm/kernels.ts';
import { casesOf, folderOf } from './cases.ts';
import { withLab } from './lab.ts';

const [kernel, ...words] = process.argv.slice(2);
const name = kernelNames.find((known) => known === kernel);
if (name === undefined) throw new Error(`which kernel? ${kernelNames.join(' ')}`);
for (const one of casesOf(name, words)) {
  const folder = join('/results', folderOf(one));
  mkdirSync(folder, { recursive: true });
  const started = performance.now();
  let outcome = 'done';
  try {
    await withLab(folder, one.backend, one.filter, (lab) => one.scenario.act(lab));
  } catch (error) {
    outcome = 'failed';
    writeFileSync(join(folder, 'error'), String(error instanceof Error ? error.stack : error));
  }
  console.log(`${one.name}: ${outcome} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
