/**
 * What a hit of a probe costs: skbspan (kprobe-multi, so that enters and exits are programs of their own, and kprobe-session,
 * where one program is both: measured once more with an object whose session asks for no exits, which tells the two apart) and Debian's pwru (kprobe-multi, with and without following skbs) on the same functions under the same flood of pings, in
 * one boot of Debian's 6.12. The kernel measures: run_time_ns and run_cnt of the programs (kernel.bpf_stats_enabled). Its clock counts
 * instructions, so a nanosecond is an instruction, and the pings run before all other tasks: nothing else is counted in.
 */
import { execFileSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { bootMachine } from '../scripts/vm/machine.ts';
import { buildPublished } from '../scripts/vm/published.ts';
import { startTracer, withLab, type Lab, type Tracer } from '../test/vm/lab.ts';

const ROUNDS = 3;
const PACKETS = 200;
const FUNCTIONS =
  '(ip|icmp|arp|__ip|__dev|dev|veth|netif|__netif|enqueue|sock|skb|nf|raw|neigh|eth|__skb)_.*|kfree_skbmem|consume_skb';
const TIMEOUT_MS = 20 * 60_000;
/** Folders of the objects, in the project: the real one, and the one without exits of sessions. */
const OBJECTS = { real: 'build/bench/real', entersOnly: 'build/bench/enters-only' } as const;
const OBJECT = 'skbspan-direct.bpf.o';
const SESSION = 'skbspan kprobe-session';
const ENTERS_ONLY = `${SESSION}, enters`;

interface Cost {
  readonly runs: number;
  readonly ns: number;
}

const skbspan = (backend: string): Tracer => ({
  command: [
    process.execPath,
    ...['dist/cli/main.js', 'trace', '--backend', backend, '--filter-func', FUNCTIONS],
    ...['--format', 'none', '--json', '/tmp/json', '--ready-file', '/tmp/ready'],
  ],
  readyFile: '/tmp/ready',
  output: '/tmp/output',
  log: '/tmp/log',
});

const pwru = (...options: readonly string[]): Tracer => ({
  command: [
    'pwru',
    ...['--backend', 'kprobe-multi', '--filter-func', FUNCTIONS, '--ready-file', '/tmp/ready'],
    ...options,
  ],
  readyFile: '/tmp/ready',
  output: '/tmp/output',
  log: '/tmp/log',
});

const tracers: Readonly<Record<string, Tracer>> = {
  'skbspan kprobe-multi': skbspan('kprobe-multi'),
  [SESSION]: skbspan('kprobe-session'),
  [ENTERS_ONLY]: skbspan('kprobe-session'),
  pwru: pwru(),
  'pwru --filter-track-skb': pwru('--filter-track-skb'),
};

interface Program {
  readonly name: string;
  readonly run_time_ns?: number;
  readonly run_cnt?: number;
}

/** Costs by what the program is for; those of programs that are not at functions are left out. */
function costs(lab: Lab): Record<string, Cost> {
  const found: Record<string, Cost> = {};
  for (const { name, run_cnt: runs = 0, run_time_ns: ns = 0 } of JSON.parse(
    lab.run('bpftool -j prog list'),
  ) as Program[]) {
    const what = /^kprobe_(multi_)?skb_\d/.test(name) ? 'enter' : name;
    if (!['enter', 'leave', 'session'].includes(what) || runs === 0) continue;
    const before = found[what] ?? { runs: 0, ns: 0 };
    found[what] = { runs: before.runs + runs, ns: before.ns + ns };
  }
  return found;
}

async function measure(lab: Lab, tracer: Tracer): Promise<Record<string, Cost>> {
  const children: ChildProcess[] = [];
  try {
    const running = await startTracer(tracer, children);
    lab.run(`chrt -f 50 ip netns exec a ping -n -q -f -c ${PACKETS} 10.0.0.2`);
    const measured = costs(lab);
    await running.stop();
    return measured;
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

async function runInGuest(): Promise<void> {
  await withLab('/tmp/lab', 'kprobe-multi', undefined, async (lab) => {
    lab.run('ip netns exec a ping -n -q -c 1 10.0.0.2');
    const rounds: Record<string, Record<string, Cost>>[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const measured: Record<string, Record<string, Cost>> = {};
      for (const [name, tracer] of Object.entries(tracers)) {
        const object = name === ENTERS_ONLY ? OBJECTS.entersOnly : OBJECTS.real;
        copyFileSync(`${object}/${OBJECT}`, `build/${OBJECT}`);
        lab.run('sysctl -qw kernel.bpf_stats_enabled=1');
        measured[name] = await measure(lab, tracer);
        // Off, so that the next one's programs alone are counted from their start.
        lab.run('sysctl -qw kernel.bpf_stats_enabled=0');
        console.log(name, JSON.stringify(measured[name]));
      }
      rounds.push(measured);
    }
    writeFileSync('/results/bench.json', JSON.stringify(rounds));
  });
}

const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;

/** With a session's enters and exits told apart, by what they cost together and what the enters cost alone. */
function toldApart(measured: Readonly<Record<string, Record<string, Cost>>>): typeof measured {
  const { [ENTERS_ONLY]: alone, ...others } = measured;
  const both = others[SESSION];
  const enter = alone?.['session'];
  const session = both?.['session'];
  if (enter === undefined || session === undefined) return others;
  // As many pings, so as many enters, but for a few by other tasks: the exits are right within some percent.
  const leave = { runs: session.runs - enter.runs, ns: session.ns - enter.ns };
  return { ...others, [SESSION]: { ...both, enter, leave } };
}

async function runOnHost(): Promise<void> {
  buildPublished();
  const build = ['scripts/build-bpf.sh'];
  execFileSync('sh', [...build, OBJECTS.real], { stdio: 'inherit' });
  execFileSync('sh', [...build, OBJECTS.entersOnly, '-DSESSION_ENTERS_ONLY'], { stdio: 'inherit' });
  const machine = await bootMachine({
    kernel: '6.12',
    script: 'node bench/probe-cost.ts --guest',
    timeoutMs: TIMEOUT_MS,
    countsInstructions: true,
    onOutput: (chunk) => process.stderr.write(chunk),
  });
  const text = machine.files.get('bench.json')?.toString();
  if (machine.status !== 0 || text === undefined) throw new Error(machine.output);
  const measured = JSON.parse(text) as Record<string, Record<string, Cost>>[];
  const rounds = measured.map(toldApart);
  console.log(
    `  ${machine.release}, instructions per hit, medians of ${ROUNDS} (hits of the last round)`,
  );
  const result: Record<string, Record<string, number>> = {};
  for (const name of Object.keys(tracers)) {
    for (const what of ['enter', 'leave', 'session']) {
      const each = rounds.flatMap((round) => round[name]?.[what] ?? []);
      if (each.length === 0) continue;
      const ns = Math.round(median(each.map((cost) => cost.ns / cost.runs)));
      (result[name] ??= {})[what] = ns;
      const cells = [name.padEnd(26), what.padEnd(10), String(ns).padEnd(12)];
      console.log(`  ${cells.join('')}${each.at(-1)?.runs ?? 0} hits`);
    }
  }
  console.log(JSON.stringify({ bench: 'probe-cost', release: machine.release, result }));
}

await (process.argv[2] === '--guest' ? runInGuest() : runOnHost());
