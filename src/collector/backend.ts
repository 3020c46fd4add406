/** A way of attaching; best first. */
export const backendNames = ['kprobe-session', 'kprobe-multi', 'kprobe', 'tracepoint'] as const;

export type BackendName = (typeof backendNames)[number];
