/**
 * What this kernel has answered, kept from one run to the next: what its types and lists say of functions is the same as long
 * as the kernel and its modules are, and to ask again takes a third of a start. Kept is only what the builds decide, never what
 * depends on rights, settings or addresses; under the build ids of the kernel and all of its modules, so that another kernel, or
 * a module that was made anew, is asked again. Where one of them has no build id nothing is kept.
 *
 * The file lies within the package, as the compile cache does and for its reason: whoever can write here can change the program
 * itself. Only what is published keeps answers: sources that are being worked on would be given what older ones asked.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { packageFile } from '../package-files.ts';

export interface Answers {
  /** Whether what is remembered will be known to the next run. */
  readonly areKept: boolean;
  /** What was answered before; undefined: nothing. Values are JSON; the questions say of what shape. */
  recall(question: string): unknown;
  remember(question: string, answer: unknown): void;
  /**
   * Writes what is new, if anything is. Never fails: answers that cannot be kept are asked for again. Not in the background: the
   * process may end at any time, and would leave half a file behind.
   */
  keep(): void;
}

export interface AnswersOptions {
  readonly file: string;
  /** What the answers belong to; undefined: it cannot be told, so nothing is kept. Asked when the first question comes. */
  readonly builds: () => string | undefined;
}

interface Kept {
  readonly builds: string;
  readonly answers: Readonly<Record<string, unknown>>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** Whatever is not whole, or of other builds, holds no answers. */
function readKept(file: string, builds: string): Map<string, unknown> {
  try {
    const kept: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isRecord(kept) && kept['builds'] === builds && isRecord(kept['answers']))
      return new Map(Object.entries(kept['answers']));
  } catch {
    // There is none yet.
  }
  return new Map();
}

export function createAnswers({ file, builds }: AnswersOptions): Answers {
  let opened: { readonly of: string | undefined; readonly known: Map<string, unknown> } | undefined;
  let isNew = false;
  const open = (): NonNullable<typeof opened> => {
    if (opened !== undefined) return opened;
    const of = builds();
    return (opened = {
      of,
      known: of === undefined ? new Map<string, unknown>() : readKept(file, of),
    });
  };
  return {
    get areKept() {
      return open().of !== undefined;
    },
    recall: (question) => open().known.get(question),
    remember(question, answer) {
      open().known.set(question, answer);
      isNew = true;
    },
    keep() {
      const { of, known } = open();
      if (!isNew || of === undefined) return;
      isNew = false;
      const kept: Kept = { builds: of, answers: Object.fromEntries(known) };
      // Whoever reads meanwhile has the old ones or the new ones.
      const draft = `${file}.${process.pid}`;
      try {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(draft, JSON.stringify(kept), { mode: 0o600 });
        renameSync(draft, file);
      } catch {
        // A read-only place.
      }
    },
  };
}

/** A kernel without modules has no list of them. */
const loadedModules = (): readonly string[] =>
  existsSync('/proc/modules')
    ? (readFileSync('/proc/modules', 'latin1').match(/^\S+/gm) ?? []).sort()
    : [];

/**
 * The build ids (ELF notes) of the running kernel and its modules, and what tells this program from another version; undefined: not
 * all have one. Not hashed: to load node:crypto takes longer than the rest.
 */
function currentBuilds(): string | undefined {
  try {
    const { mtimeMs, size } = statSync(packageFile('dist/cli/main.js'));
    const notes = loadedModules().map((module) => {
      const note = readFileSync(`/sys/module/${module}/notes/.note.gnu.build-id`, 'base64');
      return `${module} ${note}`;
    });
    const kernel = readFileSync('/sys/kernel/notes', 'base64');
    return [mtimeMs, size, kernel, ...notes].join('\n');
  } catch {
    return undefined;
  }
}

/** Of the running kernel. */
export const answers = createAnswers({
  file: packageFile('.cache/kernel.json'),
  builds: () => (import.meta.filename.endsWith('.ts') ? undefined : currentBuilds()),
});
