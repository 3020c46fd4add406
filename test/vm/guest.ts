// Runs in the guest: `node test/vm/guest.ts KERNEL FOLDER...`: the cases of a kernel that have these folders. Each leaves its
// files in /results/FOLDER; what went wrong stands in its file `error`. The host judges.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { kernelNames } from '../../scripts/vm/kernels.ts';
import { everyCase, folderOf } from './cases.ts';
import { withLab } from './lab.ts';
import { skipped } from './undisturbed.ts';

const RUNS = 3;

const [kernel, ...folders] = process.argv.slice(2);
const name = kernelNames.find((known) => known === kernel);
if (name === undefined) throw new Error(`which kernel? ${kernelNames.join(' ')}`);

/**
 * Gives the function graph the first place among those who trace returns, for good, on a function that nobody calls. Else skbspan's probes
 * may have it, and beside an oracle's graph 7.2 warns in its log where they alone do not want a return: fprobe_return() in
 * kernel/trace/fprobe.c, as function_graph_enter_regs() in fgraph.c always sets the first place's bit.
 */
function holdFirstPlace(): void {
  const instance = '/sys/kernel/tracing/instances/first';
  mkdirSync(instance);
  writeFileSync(join(instance, 'set_ftrace_filter'), 'bpf_fentry_test1');
  writeFileSync(join(instance, 'current_tracer'), 'function_graph');
}
if (name === '7.2') holdFirstPlace();

for (const one of everyCase(name)) {
  if (!folders.includes(folderOf(one))) continue;
  const folder = join('/results', folderOf(one));
  mkdirSync(folder, { recursive: true });
  const started = performance.now();
  let outcome = 'done';
  try {
    // Nearly every scenario demands that nothing is lost, and what an interrupt in the midst of a probe brings may be.
    for (let runs = 1; runs === 1 || (runs <= RUNS && skipped(folder) > 0); runs += 1) {
      if (runs > 1) console.log(`${one.name}: the kernel skipped probes, so once more`);
      await withLab(folder, one.backend, one.filter, (lab) => one.scenario.act(lab));
    }
  } catch (error) {
    outcome = 'failed';
    writeFileSync(join(folder, 'error'), String(error instanceof Error ? error.stack : error));
  }
  console.log(`${one.name}: ${outcome} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
