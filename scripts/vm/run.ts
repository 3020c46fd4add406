// Runs a shell command inside a Debian kernel in QEMU and shows its output as it comes:
//
//   node scripts/vm/run.ts [--results DIR] [--timeout SECONDS] [--memory MB] [--log] [--parallel] 6.1|6.12|7.2 -- 'command'
//
// The command runs as root in /skbspan, a copy of this checkout with its packages, with Node, ip, nft, tcpdump, iperf3,
// curl, bpftool, tc, pwru and busybox at hand, and tracefs, debugfs and bpffs mounted. Files that it writes to /results
// come back into DIR (default .cache/vm/results, emptied first). --log shows the kernel's console afterwards. --parallel
// emulates the CPUs at the same time (machine.ts says what is wrong with that). Exits with
// the command's status, or 1 if the machine failed.
//
//   node scripts/vm/run.ts 6.12 -- 'uname -r; node --version; ip -br addr | tee /results/addr'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { kernelNames } from './kernels.ts';
import { bootMachine } from './machine.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    results: { type: 'string', default: join(import.meta.dirname, '../../.cache/vm/results') },
    timeout: { type: 'string', default: '600' },
    memory: { type: 'string', default: '2048' },
    log: { type: 'boolean', default: false },
    parallel: { type: 'boolean', default: false },
  },
});
const [name, ...command] = positionals;
const kernel = kernelNames.find((known) => known === name);
if (kernel === undefined || command.length === 0) {
  console.error(
    `usage: node scripts/vm/run.ts [--results DIR] ${kernelNames.join('|')} -- 'command'`,
  );
  process.exit(2);
}
const off = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    off.abort();
  });
try {
  const result = await bootMachine({
    kernel,
    script: command.join(' '),
    timeoutMs: Number(values.timeout) * 1000,
    memoryMb: Number(values.memory),
    parallel: values.parallel,
    signal: off.signal,
    onOutput: (chunk) => process.stdout.write(chunk),
  });
  rmSync(values.results, { recursive: true, force: true });
  mkdirSync(values.results, { recursive: true });
  for (const [path, content] of result.files) {
    const file = join(values.results, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  if (values.log) console.error(result.kernelLog);
  process.exitCode = result.status;
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
