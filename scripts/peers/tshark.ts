import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { openSuite } from '../vm/debian.ts';

export interface Tool {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A Wireshark that is installed somewhere. */
export interface Wireshark {
  /** `4.0.17`. */
  readonly version: string;
  /** Puts a file where its programs can read it; returns the name by which they find it. */
  put(name: string, content: Uint8Array | string): string;
  run(program: 'tshark' | 'capinfos', args: readonly string[]): Tool;
  /** The same with a personal configuration folder, as `put` named it. */
  runWith(config: string, program: 'tshark', args: readonly string[]): Tool;
  /** Removes what `put` made. */
  remove(): void;
}

const MAX_OUTPUT_BYTES = 512 * 1024 * 1024;

function run(command: string, args: readonly string[], config = '/nonexistent'): Tool {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
    env: { ...process.env, HOME: '/nonexistent', XDG_CONFIG_HOME: config, LC_ALL: 'C.UTF-8' },
  });
  return { status, stdout, stderr };
}

function versionOf(tool: Tool): string {
  const version = /\d+\.\d+\.\d+/.exec(tool.stdout)?.[0];
  if (version === undefined) throw new Error(`tshark does not start: ${tool.stderr}`);
  return version;
}

/** The one of this system; scripts/setup.sh test installs it. */
export function systemWireshark(): Wireshark {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-wireshark-'));
  return {
    version: versionOf(run('tshark', ['--version'])),
    put(name, content) {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      return file;
    },
    run: (program, args) => run(program, args),
    runWith: (config, program, args) => run(program, args, config),
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The one of Debian 13, unpacked with all its libraries below `cache` and run in there by chroot, as nobody: this Wireshark
 * runs no Lua for root.
 *
 * @throws Error when apt or unpacking fails
 */
export function trixieWireshark(cache: string): Wireshark {
  const suite = openSuite('trixie', cache);
  const home = join(cache, 'wireshark', suite.show('tshark').get('Version') ?? '');
  if (!existsSync(home)) {
    mkdirSync(dirname(home), { recursive: true });
    const unpacked = mkdtempSync(`${home}.unpack-`);
    try {
      suite.unpack(suite.closure('tshark'), unpacked);
      // Debian 13 has its merged folders from a package of their own.
      for (const name of ['lib', 'lib64', 'bin', 'sbin']) {
        if (!existsSync(join(unpacked, name))) symlinkSync(`usr/${name}`, join(unpacked, name));
      }
      for (const name of ['tmp', 'dev', 'nonexistent'])
        mkdirSync(join(unpacked, name), { recursive: true });
      execFileSync('mknod', ['-m', '666', join(unpacked, 'dev/null'), 'c', '1', '3']);
      rmSync(join(unpacked, '.download'), { recursive: true });
      chmodSync(unpacked, 0o755);
      renameSync(unpacked, home);
    } finally {
      rmSync(unpacked, { recursive: true, force: true });
    }
  }
  const folder = mkdtempSync(join(home, 'tmp/files-'));
  chmodSync(folder, 0o755);
  const inside = (program: string, args: readonly string[], config?: string): Tool =>
    run('chroot', ['--userspec=65534:65534', home, program, ...args], config);
  return {
    version: versionOf(inside('tshark', ['--version'])),
    put(name, content) {
      const file = join(folder, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      return file.slice(home.length);
    },
    run: (program, args) => inside(program, args),
    runWith: (config, program, args) => inside(program, args, config),
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
