import type { Command } from 'commander';
import { type BackendName, backendNames } from '../collector/backend.ts';
import { say } from './say.ts';
import { leftoverProblems, parseBackend, refuse, regexProblem } from './trace-options.ts';

interface FunctionsFlags {
  readonly backend?: string;
}

interface FunctionsOptions {
  readonly backend: BackendName | undefined;
  readonly functions: string | undefined;
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
  refuse(problems, 'functions');
  return { backend, functions };
}

async function listFunctions({ backend, functions }: FunctionsOptions): Promise<number> {
  const { planProbes } = await import('../collector/probe-plan.ts');
  const { chooseBackend } = await import('../collector/tracing.ts');
  const { alignColumns } = await import('./terminal.ts');
  const plan = await planProbes({ backend: chooseBackend(backend), functions });
  const listed = plan.probes.filter((probe) => !probe.silent);
  const rows = listed.map(({ func, module, kind, skbArg }) => [
    func,
    module ?? '',
    kind === 'tracepoint' ? kind : `skb is argument ${skbArg}`,
  ]);
  process.stdout.write(alignColumns(rows));
  const silent = plan.probes.length - listed.length;
  const more = silent === 0 ? '' : ` and ${silent} only to follow packets`;
  say(`${plan.backend}: ${listed.length} probes${more}, ${plan.refused.length} refused`);
  for (const { name, reason } of plan.refused) process.stderr.write(`  ${name}: ${reason}\n`);
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
    .allowUnknownOption()
    .allowExcessArguments()
    .action((_regex: string | undefined, flags: FunctionsFlags, command: Command) =>
      run(listFunctions(parseFunctionsOptions(flags, command.args))),
    );
}
