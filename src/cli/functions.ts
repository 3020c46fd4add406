import type { Command } from 'commander';
import { type BackendName, backendNames } from '../collector/backend.ts';
import { givenRoles, type ProbeRole } from '../collector/roles.ts';
import { say } from './say.ts';
import { chosenFunctions } from './trace.ts';
import {
  leftoverProblems,
  parseBackend,
  parseNames,
  refuse,
  regexProblem,
} from './trace-options.ts';

interface FunctionsFlags {
  readonly backend?: string;
  readonly preset?: string;
  readonly kmods?: string;
}

interface FunctionsOptions {
  readonly backend: BackendName | undefined;
  readonly functions: string | undefined;
  readonly presets: readonly string[] | undefined;
  readonly modules: readonly string[] | undefined;
}

function parseFunctionsOptions(flags: FunctionsFlags, words: readonly string[]): FunctionsOptions {
  const isOption = words[0]?.startsWith('-') ?? false;
  const functions = isOption ? undefined : words[0];
  const problems = leftoverProblems(isOption ? words : words.slice(1));
  const badRegex = functions === undefined ? undefined : regexProblem(functions);
  if (badRegex !== undefined) problems.push(badRegex);
  const backend = flags.backend === undefined ? undefined : parseBackend(flags.backend);
  if (flags.backend !== undefined && backend === undefined) {
    problems.push(`--backend: want ${backendNames.join(', ')}, not '${flags.backend}'`);
  }
  const names = (option: string, text: string | undefined): readonly string[] | undefined => {
    const found = text === undefined ? undefined : parseNames(text);
    if (text !== undefined && found === undefined) problems.push(`${option}: a name is missing`);
    return found;
  };
  const presets = names('--preset', flags.preset);
  const modules = names('--kmods', flags.kmods);
  refuse(problems, 'functions');
  return { backend, functions, presets, modules };
}

/** What the watched argument is. */
function whatIs(role: ProbeRole, argument: number): string {
  if (role === givenRoles.list) return `a list of skbs is argument ${argument}`;
  if (role === givenRoles.place) return `a pointer to the skb is argument ${argument}`;
  return `skb is argument ${argument}`;
}

/** On standard error, under their reasons, the commonest first. */
function sayWhy(refused: readonly { readonly name: string; readonly reason: string }[]): void {
  const reasons = new Map<string, string[]>();
  for (const { name, reason } of refused) {
    const names = reasons.get(reason);
    if (names === undefined) reasons.set(reason, [name]);
    else names.push(name);
  }
  for (const [reason, names] of [...reasons].sort(([, a], [, b]) => b.length - a.length))
    process.stderr.write(`  ${names.length} ${reason}\n    ${names.join(' ')}\n`);
}

async function listFunctions(options: FunctionsOptions): Promise<number> {
  const { planProbes } = await import('../collector/probe-plan.ts');
  const { chooseBackend } = await import('../collector/choose-backend.ts');
  const { alignColumns } = await import('./terminal.ts');
  const plan = await planProbes({
    backend: chooseBackend(options.backend),
    functions: await chosenFunctions(options),
    modules: options.modules,
  });
  const listed = plan.probes.filter((probe) => !probe.silent);
  const rows = listed.map(({ func, module, kind, skbArg, role }) => [
    func,
    module ?? '',
    kind === 'tracepoint' ? kind : whatIs(role, skbArg),
  ]);
  process.stdout.write(alignColumns(rows));
  const silent = plan.probes.length - listed.length;
  const more = silent === 0 ? '' : ` and ${silent} only to follow packets`;
  say(`${plan.backend}: ${listed.length} probes${more}, ${plan.refused.length} refused`);
  sayWhy(plan.refused);
  const { leftOut } = plan;
  if (leftOut.length > 0) {
    say(`left out: ${leftOut.length} that no packet comes by; name them to watch them`);
    sayWhy(leftOut);
  }
  return 0;
}

/** `skbspan functions [regex]`: what would be attached, and what would be refused and why. */
export function addFunctionsCommand(
  program: Command,
  run: (command: Promise<number>) => Promise<void>,
): void {
  program
    .command('functions')
    .description('list what would be attached')
    .argument('[regex]', 'only functions whose whole name matches')
    .option('--backend <name>', `how to attach: ${backendNames.join(', ')} (default: the best)`)
    .option('--preset <names>', 'only these sets of functions: path, drops, tcp, ...')
    .option('--kmods <modules>', 'of kernel modules only these: a,b (default: all)')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_regex: string | undefined, flags: FunctionsFlags, command: Command) =>
      run(listFunctions(parseFunctionsOptions(flags, command.args))),
    );
}
