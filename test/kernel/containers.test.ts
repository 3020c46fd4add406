import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerOf } from '../../src/kernel/containers.ts';

const id = 'c0ffee42'.repeat(8);
const other = '0123abcd'.repeat(8);
const uid = '0b3f2c1a-1111-4222-8333-944455556666';
const slice = uid.replaceAll('-', '_');
const kubepods = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${slice}.slice`;

const table: readonly (readonly [what: string, path: string, container: string, pod: string])[] = [
  ['docker, systemd', `/system.slice/docker-${id}.scope`, id, ''],
  ['docker, folders', `/docker/${id}`, id, ''],
  ['docker, and what its init put below', `/system.slice/docker-${id}.scope/init.scope`, id, ''],
  ['docker in docker: the inner one', `/docker/${other}/docker/${id}`, id, ''],
  ['podman', `/machine.slice/libpod-${id}.scope/container`, id, ''],
  [
    'podman without root',
    `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope`,
    id,
    '',
  ],
  ['podman, folders', `/libpod_parent/libpod-${id}`, id, ''],
  ["podman's minder is no container", `/machine.slice/libpod-conmon-${id}.scope`, '', ''],
  ['containerd for kubelet, systemd', `${kubepods}/cri-containerd-${id}.scope`, id, uid],
  ['cri-o for kubelet', `${kubepods}/crio-${id}.scope/container`, id, uid],
  ["cri-o's minder", `${kubepods}/crio-conmon-${id}.scope`, '', uid],
  ['docker for kubelet', `${kubepods}/docker-${id}.scope`, id, uid],
  ['kubelet, folders', `/kubepods/besteffort/pod${uid}/${id}`, id, uid],
  ['a guaranteed pod', `/kubepods/pod${uid}/${id}`, id, uid],
  [
    'a guaranteed pod, systemd',
    `/kubepods.slice/kubepods-pod${slice}.slice/crio-${id}.scope`,
    id,
    uid,
  ],
  [
    "a static pod's uid is a hash",
    `/kubepods/burstable/pod${id.slice(0, 32)}/${other}`,
    other,
    id.slice(0, 32),
  ],
  [
    'kind: a node in a container',
    `/system.slice/docker-${other}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod${slice}.slice/cri-containerd-${id}.scope`,
    id,
    uid,
  ],
  [
    'containerd under its own service',
    `/system.slice/containerd.service/kubepods-burstable-pod${slice}.slice:cri-containerd:${id}`,
    id,
    uid,
  ],
  ['a pod without a container yet', kubepods, '', uid],
  ['a service', '/system.slice/ssh.service', '', ''],
  ['the root', '/', '', ''],
  ['an id that is too long', `/docker/${id}0`, '', ''],
  ['a name with an id in it', `/snapshots/x${id}`, '', ''],
];

for (const [what, path, containerId, podUid] of table)
  test(what, () => {
    assert.deepEqual(ownerOf(path), { containerId, podUid });
  });
