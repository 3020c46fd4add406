import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab.ts';
import { assertLossless, type Scenario } from '../scenario.ts';

/** What tracing leaves in a kernel, counted. */
export interface Traces {
  readonly programs: number;
  readonly links: number;
  readonly maps: number;
  /** Entries of debugfs' list of kprobes. */
  readonly kprobes: number;
  /** Functions that something hooks by ftrace (fprobe and kprobes on ftrace). */
  readonly functions: number;
  /** Whether the kernel makes jumps of kprobes; undefined: it cannot. */
  readonly optimizes: boolean | undefined;
}

type Stage = 'before' | 'during' | 'after';

const OPTIMIZER = '/proc/sys/debug/kprobes-optimization';

const GONE_TIMEOUT_MS = 60_000;

export function traces(lab: Lab): Traces {
  const list = (kind: string): number =>
    (JSON.parse(lab.run(`bpftool -j ${kind} list`) || '[]') as unknown[]).length;
  const lines = (file: string): number =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  return {
    programs: list('prog'),
    links: list('link'),
    maps: list('map'),
    kprobes: lines('/sys/kernel/debug/kprobes/list'),
    functions: lines('/sys/kernel/tracing/enabled_functions'),
    optimizes: existsSync(OPTIMIZER) ? readFileSync(OPTIMIZER, 'utf8').trim() === '1' : undefined,
  };
}

/** The kernel takes its time to free what a process held: waits until it is as before, or gives what remains. */
export async function settled(lab: Lab, before: Traces): Promise<Traces> {
  const end = Date.now() + GONE_TIMEOUT_MS;
  let now = traces(lab);
  while (JSON.stringify(now) !== JSON.stringify(before) && Date.now() < end) {
    await sleep(100);
    now = traces(lab);
  }
  return now;
}

/** What there is when nothing changes any more: the scenario before may have left probes that the kernel still removes. */
export async function quiet(lab: Lab): Promise<Traces> {
  const end = Date.now() + GONE_TIMEOUT_MS;
  for (let before = traces(lab); ;) {
    await sleep(1500);
    const now = traces(lab);
    if (JSON.stringify(now) === JSON.stringify(before) || Date.now() > end) return now;
    before = now;
  }
}

/** Ends skbspan by a signal and looks whether the kernel is as it was. */
function endedBy(name: string, signal: NodeJS.Signals, status: number | null): Scenario {
  return {
    name,
    async act(lab) {
      const before = await quiet(lab);
      const trace = await lab.trace();
      const during = traces(lab);
      lab.run('ip netns exec a ping -c 3 -i 0.2 -W 5 10.0.0.2');
      const end = await trace.stop(signal);
      lab.record('stages', { before, during, after: await settled(lab, before) });
      lab.record('end', { ...end, readyMs: trace.readyMs });
    },
    check({ backend, fact, note, text }) {
      const { before, during, after } = fact('stages') as Record<Stage, Traces>;
      const end = fact('end') as { status: number | null; exitMs: number; readyMs: number };
      note(
        `ready ${Math.round(end.readyMs)} ms, exit ${Math.round(end.exitMs)} ms, ${JSON.stringify(during)}`,
      );
      // Else this could not fail.
      assert.ok(during.programs > before.programs && during.maps > before.maps, 'programs ran');
      assert.equal(during.optimizes, before.optimizes);
      if (backend === 'kprobe') {
        assert.ok(during.kprobes > before.kprobes + 10, 'kprobes were set');
        assert.ok(during.optimizes, 'the kernel makes jumps of them');
        const behind = during.kprobes - before.kprobes - (during.functions - before.functions);
        assert.ok(behind > 20, `only ${behind} are behind the place of ftrace`);
      } else if (backend !== 'tracepoint')
        assert.ok(during.functions > before.functions + 10, 'functions were hooked');
      assert.deepEqual(after, before, 'something was left behind');
      assert.equal(end.status, status);
      if (signal !== 'SIGINT') return;
      assert.match(text('skbspan.log'), /packets?/i, 'a summary was printed');
      if (backend === 'kprobe-multi' || backend === 'kprobe-session')
        assert.ok(end.exitMs < 1000 * EMULATED, `Ctrl-C took ${Math.round(end.exitMs)} ms`);
    },
  };
}

/** That it ends at all: two emulated machines share two CPUs here. What it takes (at most 1 s) bench/vm.ts measures alone. */
const EMULATED = 60;

/** Nobody need wait until the kernel has removed the probes: a second run works meanwhile, and in the end nothing is left. */
export const second: Scenario = {
  name: 'second',
  async act(lab) {
    const before = await quiet(lab);
    const first = await lab.trace();
    const end = await first.stop();
    const between = traces(lab);
    const trace = await lab.trace();
    lab.run('ip netns exec a ping -c 2 -i 0.2 -W 5 10.0.0.2');
    const { status } = await trace.stop();
    lab.record('stages', { before, during: between, after: await settled(lab, before) });
    lab.record('end', { ...end, second: status, readyMs: trace.readyMs });
  },
  check({ backend, paths, summary, fact, note }) {
    const { before, during, after } = fact('stages') as Record<Stage, Traces>;
    const end = fact('end') as { status: number; second: number; exitMs: number; readyMs: number };
    const left = during.kprobes - before.kprobes;
    note(
      `exit ${Math.round(end.exitMs)} ms with ${left} kprobes left; then ready in ${Math.round(end.readyMs)} ms`,
    );
    // Else this could not fail: the first one's probes were still being removed.
    if (backend === 'kprobe') assert.ok(left > 10, `${left} kprobes were left`);
    assert.deepEqual([end.status, end.second], [0, 0]);
    assertLossless(summary);
    const requests = paths.filter(({ flow }) => flow?.detail.startsWith('echo request'));
    assert.equal(requests.length, 2);
    assert.deepEqual(after, before, 'something was left behind');
  },
};

export const interrupted = endedBy('interrupted', 'SIGINT', 0);
export const killed = endedBy('killed', 'SIGKILL', null);
