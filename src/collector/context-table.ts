/** Who the tasks and what the devices are, as the kernel told it so far. Objects are shared by all calls that name them. */

import { deviceEvent, taskEvent } from '../event/layout.ts';
import type { Device, Task } from '../event/packet-path.ts';
import { headerWord } from './decode.ts';
import { wideAt } from './path-records.ts';

/** Tasks come and go: the oldest are forgotten beyond this. */
const TASKS_MAX = 65536;

export interface ContextTable {
  setTask(words: Uint32Array, at: number): void;
  setDevice(words: Uint32Array, at: number): void;
  /** Total: an unknown one has only its number. */
  task(tid: number): Task;
  device(netns: number, ifindex: number): Device;
}

const text = new TextDecoder();

/** A C string of at most `bytes` bytes. */
export function textAt(words: Uint32Array, at: number, bytes: number): string {
  const raw = new Uint8Array(words.buffer, words.byteOffset + at * 4, bytes);
  const end = raw.indexOf(0);
  return text.decode(end < 0 ? raw : raw.subarray(0, end));
}

/** Total functions: `netnsName` by its inode, and what container a cgroup, or a process where that does not tell, belongs to. */
export interface ContextNames {
  readonly netnsName: (inode: number) => string;
  readonly owner: (cgroup: bigint, tgid: number) => Owner;
}

/** Empty: none, or unknown. */
export interface Owner {
  readonly containerId: string;
  readonly podUid: string;
}

export function createContextTable({ netnsName, owner }: ContextNames): ContextTable {
  const idle = { tid: 0, tgid: 0, comm: 'swapper', cgroup: 0n, containerId: '', podUid: '' };
  const tasks = new Map<number, Task>([[0, idle]]);
  /** Devices that the kernel told of, or that a call named. */
  const devices = new Map<number, Map<number, Device>>();

  function setDevice(netns: number, ifindex: number, name: string, mtu: number, kind = ''): Device {
    const device = {
      netns,
      netnsName: netns === 0 ? '' : netnsName(netns),
      ifindex,
      name,
      mtu,
      kind,
    };
    let ofNetns = devices.get(netns);
    if (ofNetns === undefined) {
      ofNetns = new Map();
      devices.set(netns, ofNetns);
    }
    ofNetns.set(ifindex, device);
    return device;
  }

  return {
    setTask(words, at) {
      const tid = words[at + headerWord.tid] ?? 0;
      const tgid = words[at + (taskEvent.tgid >> 2)] ?? 0;
      const cgroup = wideAt(words, at + (taskEvent.cgroup >> 2));
      const { containerId, podUid } = owner(cgroup, tgid);
      tasks.delete(tid);
      tasks.set(tid, {
        tid,
        tgid,
        comm: textAt(words, at + (taskEvent.comm >> 2), taskEvent.size - taskEvent.comm),
        cgroup,
        containerId,
        podUid,
      });
      if (tasks.size > TASKS_MAX) {
        for (const oldest of tasks.keys()) {
          if (oldest === 0) continue;
          tasks.delete(oldest);
          break;
        }
      }
    },

    setDevice(words, at) {
      setDevice(
        words[at + (deviceEvent.netns >> 2)] ?? 0,
        words[at + (deviceEvent.ifindex >> 2)] ?? 0,
        textAt(words, at + (deviceEvent.name >> 2), deviceEvent.linkKind - deviceEvent.name),
        words[at + (deviceEvent.mtu >> 2)] ?? 0,
        textAt(words, at + (deviceEvent.linkKind >> 2), deviceEvent.size - deviceEvent.linkKind),
      );
    },

    task: (tid) =>
      tasks.get(tid) ?? { tid, tgid: 0, comm: '', cgroup: 0n, containerId: '', podUid: '' },
    device: (netns, ifindex) =>
      devices.get(netns)?.get(ifindex) ?? setDevice(netns, ifindex, '', 0),
  };
}
