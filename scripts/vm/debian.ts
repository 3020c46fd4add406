import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A Debian release by its code name. Its packages are fetched without touching the system's own apt state. */
export type Suite = 'bookworm' | 'trixie' | 'sid';

export interface DebianSuite {
  /** The fields of a package's record, as `apt-cache show` gives them; the first record if there are more. */
  show(name: string): ReadonlyMap<string, string>;
  /** The package and everything that it depends on, alternatives included. */
  closure(name: string): string[];
  /** Downloads and unpacks packages below `into`. */
  unpack(names: readonly string[], into: string): void;
}

const LISTS_MAX_AGE_MS = 24 * 3600 * 1000;

/**
 * apt for another suite than the system's, in its own folder below `cache`. Where to fetch from is taken from the
 * system's own sources with the suite's name replaced, so a mirror or proxy of this machine is used too. Signatures
 * are checked with the keyring the system's entry names. Lists older than a day are fetched again; when that fails and
 * there are old ones, they are used.
 *
 * @throws Error when the system has no Debian source or apt fails
 */
export function openSuite(suite: Suite, cache: string): DebianSuite {
  const home = join(cache, 'apt', suite);
  const sources = join(home, 'sources.list.d');
  for (const folder of [sources, join(home, 'lists/partial'), join(home, 'cache/archives/partial')])
    mkdirSync(folder, { recursive: true });
  const options = [
    `Dir::Etc::SourceList=/dev/null`,
    `Dir::Etc::SourceParts=${sources}`,
    `Dir::State::Lists=${home}/lists`,
    `Dir::Cache=${home}/cache`,
    // apt's own user can rarely read below a home or a checkout.
    `APT::Sandbox::User=root`,
  ].flatMap((option) => ['-o', option]);
  // One apt at a time per folder: test files run in parallel processes.
  const apt = (tool: string, args: readonly string[], cwd = home): string =>
    execFileSync('flock', [join(home, 'lock'), tool, ...options, ...args], {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  const stamp = join(home, 'updated');
  if (!existsSync(stamp) || Date.now() - statSync(stamp).mtimeMs > LISTS_MAX_AGE_MS) {
    writeFileSync(join(sources, 'suite.sources'), sourcesFor(suite));
    try {
      apt('apt-get', ['-q', '--error-on=any', 'update']);
      writeFileSync(stamp, '');
    } catch (cause) {
      if (!existsSync(stamp)) throw new Error(`apt cannot read Debian ${suite}`, { cause });
    }
  }

  return {
    show(name) {
      const record = apt('apt-cache', ['show', name]).split('\n\n')[0] ?? '';
      const fields = record.matchAll(/^([A-Z][\w-]*): *(.*)$/gm);
      return new Map(Array.from(fields, ([, key = '', value = '']) => [key, value]));
    },
    closure(name) {
      const listed = apt('apt-cache', ['depends', '--recurse', '--important', name]);
      return [...new Set(Array.from(listed.matchAll(/^[a-z0-9]\S*/gm), ([found]) => found))];
    },
    unpack(names, into) {
      const downloads = join(into, '.download');
      mkdirSync(downloads, { recursive: true });
      apt('apt-get', ['-q', 'download', ...names], downloads);
      for (const file of globSync(join(downloads, '*.deb')))
        execFileSync('dpkg-deb', ['-x', file, into]);
    },
  };
}

/** The system's source for Debian itself, with its suite replaced. Knows both forms of apt's source files. */
function sourcesFor(suite: Suite): string {
  const own = /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';
  const stanza = (uri: string, key: string | undefined): string =>
    `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\nTargets: Packages\n` +
    (key === undefined ? '' : `Signed-By: ${key}\n`);

  for (const file of globSync('/etc/apt/sources.list.d/*.sources')) {
    for (const text of readFileSync(file, 'utf8').split(/\n\s*\n/)) {
      const field = (name: string): string | undefined =>
        new RegExp(`^${name}:[ \\t]*(.+)$`, 'mi').exec(text)?.[1]?.trim();
      const uri = field('URIs')?.split(/\s+/)[0];
      if (uri !== undefined && field('Suites')?.split(/\s+/).includes(own) === true)
        return stanza(uri, field('Signed-By'));
    }
  }
  for (const file of ['/etc/apt/sources.list', ...globSync('/etc/apt/sources.list.d/*.list')]) {
    if (!existsSync(file)) continue;
    const line = readFileSync(file, 'utf8').matchAll(/^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s/gm);
    for (const [, options, uri, found] of line)
      if (uri !== undefined && found === own)
        return stanza(uri, /signed-by=(\S+)/.exec(options ?? '')?.[1]);
  }
  throw new Error(`no apt source for Debian ${own} found to derive ${suite} from`);
}
