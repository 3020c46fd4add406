import { closeSync, lstatSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What goes under one name into an archive. `from` is a file of the host, followed if it is a link. */
export type CpioContent =
  | { readonly kind: 'directory' }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'file'; readonly from: string; readonly executable: boolean }
  | { readonly kind: 'data'; readonly data: Buffer; readonly executable: boolean };

/** Name inside the guest, without the leading slash -> content. */
export type CpioTree = Map<string, CpioContent>;

const MODES = { directory: 0o040755, link: 0o120777, file: 0o100644 };

/** Adds all files below `from` under `to`, links as links; `keep` is asked with the path below `from`. */
export function addTree(
  tree: CpioTree,
  from: string,
  to: string,
  keep: (path: string) => boolean = () => true,
): void {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    const source = join(entry.parentPath, entry.name);
    const path = source.slice(from.length + 1);
    if (!entry.isFile() || !keep(path)) continue;
    const executable = (lstatSync(source).mode & 0o111) !== 0;
    tree.set(join(to, path), { kind: 'file', from: source, executable });
  }
}

/**
 * Writes `tree` as a cpio archive in the kernel's "newc" form (Documentation/driver-api/early-userspace/buffer-format.rst),
 * which is what an initramfs is. Directories on the way to a name are made. Not compressed: under an emulated CPU
 * unpacking costs more than reading.
 */
export function writeCpio(tree: CpioTree, file: string): void {
  const out = openSync(file, 'w');
  const made = new Set(['.']);
  let inode = 0;

  const put = (name: string, mode: number, data: Buffer): void => {
    inode += 1;
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
    writeSync(out, Buffer.concat([Buffer.from(head), padding(head.length)]));
    writeSync(out, data);
    writeSync(out, padding(data.length));
  };
  const directory = (name: string): void => {
    if (made.has(name)) return;
    directory(join(name, '..'));
    made.add(name);
    put(name, MODES.directory, Buffer.alloc(0));
  };

  for (const [name, content] of tree) {
    directory(content.kind === 'directory' ? name : join(name, '..'));
    if (content.kind === 'link') put(name, MODES.link, Buffer.from(content.target));
    if (content.kind === 'file' || content.kind === 'data') {
      const data = content.kind === 'file' ? readFileSync(content.from) : content.data;
      put(name, MODES.file | (content.executable ? 0o111 : 0), data);
    }
  }
  put('TRAILER!!!', 0, Buffer.alloc(0));
  closeSync(out);
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
