import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeCpio } from './cpio.ts';
import { guestTree } from './initramfs.ts';
import { fetchKernel, type KernelName } from './kernels.ts';

export interface MachineOptions {
  readonly kernel: KernelName;
  /** Run by busybox sh, as root, in /skbspan (the project). What it leaves in /results comes back. */
  readonly script: string;
  /** More files for the guest: absolute path -> content. */
  readonly files?: ReadonlyMap<string, string | Buffer>;
  /** From power on; then the machine is killed and the promise rejected. */
  readonly timeoutMs: number;
  /** The script's output, stdout and stderr, as it comes. */
  readonly onOutput?: (chunk: Buffer) => void;
  readonly memoryMb?: number;
  /**
   * Emulate the two CPUs at the same time, on a thread each: quicker, and what a measurement needs. But QEMU 7.2 then breaks
   * programs that write code while they run: every fiftieth start of Node dies of it. Default: in turns.
   */
  readonly parallel?: boolean;
  /**
   * The machine's clock counts instructions, a nanosecond each, instead of following the host's: what a stretch of code costs
   * is then the same however busy the host is. One CPU, for two would count into each other's time. Not with `parallel`.
   */
  readonly countsInstructions?: boolean;
  /** Switches the machine off; the promise is rejected. */
  readonly signal?: AbortSignal;
}

export interface MachineResult {
  /** Exit status of the script. */
  readonly status: number;
  /** The script's whole output. */
  readonly output: string;
  /** The kernel's console. */
  readonly kernelLog: string;
  /** uname -r. */
  readonly release: string;
  /** What the script left in /results: path below it -> content. */
  readonly files: ReadonlyMap<string, Buffer>;
}

const PROJECT = join(import.meta.dirname, '../..');
const CACHE = join(PROJECT, '.cache');
/** Space for a tar of /results; sparse, so it costs only what is written. */
const DISK_BYTES = 512 * 1024 * 1024;

/**
 * Boots a Debian kernel in QEMU on an emulated CPU (works without KVM), runs a script in it and brings back its results.
 * The guest's root is an initramfs made fresh from this checkout, so it runs the code as it is now. The output comes by
 * serial port, files by a tar that the guest writes onto a raw disk: Debian's cloud kernels have no 9p or virtiofs.
 *
 * @throws Error when the machine does not end in time or ends without reporting a status; its message holds the last
 * lines of both consoles
 */
export async function bootMachine(options: MachineOptions): Promise<MachineResult> {
  const kernel = fetchKernel(options.kernel, CACHE);
  const home = mkdtempSync(join(tmpdir(), 'skbspan-vm-'));
  try {
    const tree = guestTree(kernel, PROJECT, CACHE);
    tree.set('vm/script', { kind: 'data', data: Buffer.from(options.script), executable: true });
    for (const [path, content] of options.files ?? [])
      tree.set(path.slice(1), { kind: 'data', data: Buffer.from(content), executable: true });
    const initrd = join(home, 'initrd');
    writeCpio(tree, initrd);
    const disk = join(home, 'disk');
    writeFileSync(disk, '');
    truncateSync(disk, DISK_BYTES);

    const consoles = await runQemu(options, kernel.vmlinuz, initrd, home);
    const results = join(home, 'out');
    mkdirSync(results);
    execFileSync('tar', ['-xf', disk, '-C', results], { stdio: 'ignore' });
    // An empty disk is an empty tar.
    if (!existsSync(join(results, 'vm/status')))
      throw new Error(`the machine ended without results\n${tail(consoles)}`);
    const status = Number(readFileSync(join(results, 'vm/status'), 'utf8'));
    return {
      status,
      ...consoles,
      release: kernel.release,
      files: readTree(join(results, 'results')),
    };
  } finally {
    rmSync(home, { recursive: true });
  }
}

interface Consoles {
  readonly output: string;
  readonly kernelLog: string;
}

/** Resolves when QEMU ended by itself. Serial port 1 is the kernel's console, port 2 the script's output. */
function runQemu(
  options: MachineOptions,
  vmlinuz: string,
  initrd: string,
  home: string,
): Promise<Consoles> {
  const log = join(home, 'kernel.log');
  const machine = [
    '-accel',
    `tcg,thread=${options.parallel === true ? 'multi' : 'single'}`,
    '-cpu',
    'max',
    '-smp',
    options.countsInstructions === true ? '1' : '2',
    ...(options.countsInstructions === true ? ['-icount', 'shift=0,sleep=off'] : []),
    '-m',
    String(options.memoryMb ?? 2048),
  ];
  const boot = [
    '-kernel',
    vmlinuz,
    '-initrd',
    initrd,
    '-append',
    'console=ttyS0 panic=-1 loglevel=5 rdinit=/init',
  ];
  const ports = [
    '-chardev',
    `file,id=kernel,path=${log}`,
    '-serial',
    'chardev:kernel',
    '-serial',
    'stdio',
  ];
  const drive = ['-drive', `file=${join(home, 'disk')},format=raw,if=virtio,cache=unsafe`];
  const rest = ['-display', 'none', '-monitor', 'none', '-nic', 'none', '-no-reboot'];
  return new Promise((resolve, reject) => {
    const qemu = spawn('qemu-system-x86_64', [...machine, ...boot, ...ports, ...drive, ...rest], {
      stdio: ['ignore', 'pipe', 'pipe'],
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    const output: Buffer[] = [];
    const errors: Buffer[] = [];
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      qemu.kill('SIGKILL');
    }, options.timeoutMs);
    qemu.stdout.on('data', (chunk: Buffer) => {
      output.push(chunk);
      options.onOutput?.(chunk);
    });
    qemu.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    qemu.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    qemu.on('close', (code) => {
      clearTimeout(timer);
      const consoles = { output: Buffer.concat(output).toString(), kernelLog: readIfThere(log) };
      const said = Buffer.concat(errors).toString();
      if (late) reject(new Error(`not done after ${options.timeoutMs} ms\n${tail(consoles)}`));
      else if (code !== 0) reject(new Error(`qemu failed: ${said}\n${tail(consoles)}`));
      else resolve(consoles);
    });
  });
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function tail({ output, kernelLog }: Consoles): string {
  const last = (text: string): string => text.split('\n').slice(-40).join('\n');
  return `--- script ---\n${last(output)}\n--- kernel ---\n${last(kernelLog)}`;
}

function readTree(root: string): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) files.set(path.slice(root.length + 1), readFileSync(path));
  }
  return files;
}
