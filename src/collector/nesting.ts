/**
 * Which call runs inside which.
 *
 * A call nests in another one if the same stack of execution made it while the other had not returned. Records carry no
 * caller, so this is rebuilt from four facts: who ran it, when it began, when it returned, and where its frame stands.
 *
 * Who. A task runs one thing at a time, wherever it is scheduled, so its tid is the context; the idle tasks all have tid 0,
 * so for them it is the CPU. An interrupt or softirq runs on top of the task that it interrupts and carries that task's tid:
 * it nests in the call that it interrupts, and is over before that one goes on. That is what happened, so it needs no rule;
 * loopback, which receives inside of the sender's own call, is the same case. Lives do not matter here: a clone that is
 * handled within a call on its parent nests in it.
 *
 * When. In one context calls begin in order of time, and those open at a moment are a stack. If a call has an exit, we know
 * how long it was open: it contains what begins before it and returns not after it. A call never contains one that returns
 * later than itself, whatever the clocks say.
 *
 * Where. If a call's exit is not known (the record was lost, or it was still running at the end), time says nothing, but the
 * stack does: it grows down, so an inner call's frame stands below that of the outer one. If another call begins on the
 * same stack at or above the frame, then the open call must have returned. It cannot outlive the call that it is in either.
 * Two frames are on one stack if they are less than 16 KiB apart, the kernel's stack size. A softirq runs on a stack of its
 * own, further away: nothing follows from its frames for the call that it interrupts.
 * What remains wrong: a call without an exit which returned before a deeper one began, with nothing seen in between, is
 * taken for that one's parent. Only a lost record can cause it, and the path tells of that.
 *
 * Points and enter-only calls have a parent but never are one: a point takes no time, and of an enter-only call we know
 * neither end nor, by the case above, whether the next one is inside of it or after it. Their path is flat, and says so.
 */

import type { CallDraft } from './path-records.ts';

const STACK_BYTES = 16 * 1024;

interface OpenCall {
  readonly call: CallDraft;
  /** It has returned by then: its own end, or else that of the call it is in. */
  readonly until: number;
}

/** Sets `parent` and `depth` of all calls of a path. */
export function nest(calls: readonly CallDraft[]): void {
  const stacks = new Map<number, OpenCall[]>();
  for (const call of inOrderOfBegin(calls)) {
    let stack = stacks.get(call.context);
    if (stack === undefined) {
      stack = [];
      stacks.set(call.context, stack);
    }
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      if (top.until > call.begin && !hasReturned(top.call, call)) break;
      stack.pop();
    }
    const container = containerOf(call, stack);
    call.parent = container?.call;
    call.depth = container === undefined ? 0 : container.call.depth + 1;
    if (call.how === 'exit')
      stack.push({ call, until: call.end ?? container?.until ?? Number.POSITIVE_INFINITY });
  }
}

/** Whether the frames prove that `open`, whose exit is not known, had returned when `call` began. */
function hasReturned(open: CallDraft, call: CallDraft): boolean {
  if (open.end !== undefined || open.frame === 0 || call.frame === 0) return false;
  const above = call.frame - open.frame;
  return above >= 0 && above < STACK_BYTES;
}

/** The innermost open call that lasts as long as this one. */
function containerOf(call: CallDraft, stack: readonly OpenCall[]): OpenCall | undefined {
  const end = call.end ?? call.begin;
  for (let index = stack.length - 1; index >= 0; index--) {
    const open = stack[index];
    if (open !== undefined && open.until >= end) return ofSameLife(call, stack, index);
  }
  return undefined;
}

/**
 * A call on a list of packets is one on each of them, all in one frame: what runs in it for one packet belongs to the call on that
 * one. The call at `index`, if there is no better one.
 */
function ofSameLife(
  call: CallDraft,
  stack: readonly OpenCall[],
  index: number,
): OpenCall | undefined {
  const found = stack[index];
  for (let open = found; open !== undefined; open = stack[--index]) {
    const isOnList = open.call.frame === found?.call.frame && open.call.probe === found.call.probe;
    if (!isOnList || open.call.frame === 0) break;
    if (open.call.life === call.life) return open;
  }
  return found;
}

/** Stable: of two that began in the same nanosecond the one recorded first is the outer one. */
function inOrderOfBegin(calls: readonly CallDraft[]): readonly CallDraft[] {
  for (let index = 1; index < calls.length; index++) {
    if ((calls[index]?.begin ?? 0) < (calls[index - 1]?.begin ?? 0))
      return calls.toSorted((a, b) => a.begin - b.begin);
  }
  return calls;
}
