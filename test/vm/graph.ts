/** A call as ftrace's function_graph recorded it. */
export interface GraphCall {
  readonly func: string;
  readonly cpu: number;
  /** The recorded call it ran in. */
  readonly parent: GraphCall | undefined;
  /** Address of its skb, 0x0: it had none; undefined: no kprobe event asked for it. */
  skb?: string;
}

/** What ftrace recorded, in order. */
export interface Graph {
  readonly calls: readonly GraphCall[];
  /** An sk_buff was allocated when `at` of the calls had begun. */
  readonly births: readonly { readonly at: number; readonly skb: string }[];
}

/** Name of the event of an allocator's return. */
export const BIRTH = 'birth_of_';

const CALL = /^\s*(\d+)\)\s+(\S+)\s+\|[^|]*\| {2}(\s*)([\w.]+)(?: \[\w+\])?\(.*\)(?:;| \{)/;
/** `/* skb_put: (skb_put+0x4/0x50) skb=0xffff... *\/`: an event that came in between. */
const EVENT = /^\s*\d+\)\s+(\S+)\s+\|[^|]*\|\s*\/\* (\w+): \(.*\) skb=0x([0-9a-f]+) \*\//;

/**
 * Reads function_graph's text. A line is `CPU) DURATION | INDENT func() {` or `func();` for a call that calls nothing
 * else that is recorded; two spaces of indent per level. Kprobe events with the name of a function tell the skb of the call
 * that they stand beside, those whose name begins with BIRTH tell what an allocator returned.
 */
export function readGraph(text: string): Graph {
  const calls: GraphCall[] = [];
  const births: { at: number; skb: string }[] = [];
  const open = new Map<string, (GraphCall | undefined)[]>();
  /** Of each task: its latest call, and an event that came before the call it is about. */
  const latest = new Map<string, GraphCall>();
  const early = new Map<string, { func: string; skb: string }>();
  for (const line of text.split('\n')) {
    const event = EVENT.exec(line);
    if (event !== null) {
      const [, task = '', name = '', digits = ''] = event;
      const skb = `0x${digits.replace(/^0+(?=.)/, '')}`;
      const last = latest.get(task);
      if (name.startsWith(BIRTH)) births.push({ at: calls.length, skb });
      else if (last?.func === name && last.skb === undefined) last.skb = skb;
      else early.set(task, { func: name, skb });
      continue;
    }
    const match = CALL.exec(line);
    if (match === null) continue;
    const [, cpu = '', task = '', indent = '', func = ''] = match;
    // Levels belong to a task: interrupts run on the stack of whom they interrupt.
    const stack = open.get(task) ?? [];
    open.set(task, stack);
    const depth = indent.length / 2;
    const parent = stack.slice(0, depth).findLast((call) => call !== undefined);
    const call: GraphCall = { func, cpu: Number(cpu), parent };
    const before = early.get(task);
    if (before?.func === func) call.skb = before.skb;
    early.delete(task);
    latest.set(task, call);
    stack.length = depth;
    stack[depth] = call;
    calls.push(call);
  }
  return { calls, births };
}
