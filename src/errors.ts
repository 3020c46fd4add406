/** Codes of every error that skbspan raises on purpose; each is described in docs/errors.md (a test checks that). */
export const errorCodes = [
  'SKBSPAN_USAGE',
  'SKBSPAN_PERMISSION',
  'SKBSPAN_UNSUPPORTED',
  'SKBSPAN_BPF',
  'SKBSPAN_VERIFIER',
  'SKBSPAN_SYSCALL',
  'SKBSPAN_BTF',
  'SKBSPAN_KALLSYMS',
  'SKBSPAN_TRACEFS',
  'SKBSPAN_OUTPUT',
  'SKBSPAN_EXPORT',
  'SKBSPAN_INPUT',
  'SKBSPAN_INTERNAL',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export interface ErrorDetails {
  /** What the user can do about it; printed on a line of its own. */
  readonly advice?: string;
  readonly cause?: unknown;
}

/** The root of all errors that skbspan raises on purpose. Match on `code`, not on the class. */
export class SkbspanError extends Error {
  readonly code: ErrorCode;
  readonly advice: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SkbspanError';
    this.code = code;
    this.advice = details.advice;
  }
}

/** Wrong arguments or configuration: exit code 2. */
export class UsageError extends SkbspanError {
  constructor(message: string, details: ErrorDetails = {}) {
    super('SKBSPAN_USAGE', message, details);
    this.name = 'UsageError';
  }
}
