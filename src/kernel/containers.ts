/**
 * Which container and pod a cgroup belongs to, from the names of its folders. Container engines and the kubelet put the ids
 * there, by one of two drivers, systemd's or plain folders:
 *
 *   docker      /system.slice/docker-<id>.scope            /docker/<id>
 *   podman      /machine.slice/libpod-<id>.scope/container  /libpod_parent/libpod-<id>
 *   kubelet     /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid with _>.slice/cri-containerd-<id>.scope
 *               /kubepods/burstable/pod<uid>/<id>          crio-<id>.scope, docker-<id>.scope likewise
 *   containerd  /system.slice/containerd.service/kubepods-...:cri-containerd:<id>
 *
 * An id is 64 hex digits; a folder of that form is a container's wherever it stands. What is below belongs to it too, the
 * innermost id counts (docker in docker), and `crio-conmon-`, `libpod-conmon-` are the engine's minders, no containers.
 */

export interface Owner {
  /** 64 hex digits; empty: no container. */
  readonly containerId: string;
  /** With dashes; empty: no pod. */
  readonly podUid: string;
}

export const nobody: Owner = { containerId: '', podUid: '' };

const container = /(?:^|[-:/])([0-9a-f]{64})(?:\.scope)?$/;
const minder = /-conmon-/;
const pod =
  /(?:^|[-:])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12})(?:\.slice)?(?=$|:)/;
/** Static pods' uid is a hash. */
const staticPod = /(?:^|[-:])pod([0-9a-f]{32})(?:\.slice)?(?=$|:)/;

/** By a cgroup's path below its root. Total. */
export function ownerOf(path: string): Owner {
  let containerId = '';
  let podUid = '';
  for (const folder of path.split('/')) {
    const id = minder.test(folder) ? undefined : container.exec(folder)?.[1];
    if (id !== undefined) containerId = id;
    const uid = (pod.exec(folder) ?? staticPod.exec(folder))?.[1];
    if (uid !== undefined) podUid = uid.replaceAll('_', '-');
  }
  return containerId === '' && podUid === '' ? nobody : { containerId, podUid };
}
