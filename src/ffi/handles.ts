/** Something of the kernel's or of libbpf's that is ours until `close()`. */
export interface Handle {
  readonly name: string;
  readonly closed: boolean;
  /** Gives it back exactly once; any further call does nothing. */
  close(): void;
}

const open = new Set<Handle>();

/**
 * Registers an owned handle. `release` runs once, at the first `close()`; the handle counts as closed even if it throws, for
 * nothing here can be given back twice.
 */
export const createHandle = (name: string, release: () => void): Handle => {
  let closed = false;
  const handle: Handle = {
    name,
    get closed() {
      return closed;
    },
    close() {
      if (closed) return;
      closed = true;
      open.delete(handle);
      release();
    },
  };
  open.add(handle);
  return handle;
};

/** Names of the handles of this thread that nobody has closed yet: tests assert that it is empty. */
export const openHandles = (): readonly string[] => [...open].map((handle) => handle.name);
