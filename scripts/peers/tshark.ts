import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
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
  /** tshark with the extcap program `script` of this system among its interfaces. Needs root. */
  runWithExtcap(script: string, args: readonly string[]): Tool;
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

const LIVE_MS = 60_000;

function runLive(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Tool {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: LIVE_MS,
    env: { ...process.env, LC_ALL: 'C.UTF-8', ...env },
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
    runWithExtcap(script, args) {
      const extcap = join(folder, 'config/wireshark/extcap');
      mkdirSync(extcap, { recursive: true });
      if (!existsSync(join(extcap, 'skbspan'))) symlinkSync(script, join(extcap, 'skbspan'));
      return runLive('tshark', args, { XDG_CONFIG_HOME: join(folder, 'config') });
    },
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Of busybox-static, which the initial file systems of the VMs need anyway. */
const BUSYBOX = '/bin/busybox';
/** Where this system is seen inside. */
const HOST = 'host';

/** An extcap program inside that is `script` of this system, which finds its node and its libraries only out here. */
const outOfChroot = (busybox: string, script: string): string => `#!${busybox} sh
for each; do
  shift
  case $each in /${HOST}/*) each=\${each#/${HOST}} ;; esac
  set -- "$@" "$each"
done
exec ${busybox} chroot /${HOST} '${script}' "$@"
`;

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
    runWithExtcap(script, args) {
      const extcap = join(folder, '.local/lib/wireshark/extcap');
      const own = folder.slice(home.length);
      mkdirSync(extcap, { recursive: true });
      copyFileSync(BUSYBOX, join(folder, 'busybox'));
      writeFileSync(join(extcap, 'skbspan'), outOfChroot(`${own}/busybox`, script), {
        mode: 0o755,
      });
      mkdirSync(join(home, HOST), { recursive: true });
      const command = [`mount --rbind / "$0/${HOST}"`, 'exec chroot "$0" tshark "$@"'].join(' && ');
      return runLive('unshare', ['--mount', 'sh', '-c', command, home, ...args], {
        HOME: own,
        // Its pipe is to be found outside, too.
        TMPDIR: `/${HOST}${tmpdir()}`,
      });
    },
    remove() {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
