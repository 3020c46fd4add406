import { STATUS_CODES } from 'node:http';
import { SkbspanError } from '../../errors.ts';
import type { HttpAnswer } from './http-exchange.ts';
import { readRejected } from './partial-success.ts';
import { readFields } from './protobuf-fields.ts';
import type { SendResult } from './transport.ts';

/** opentelemetry-proto docs/specification.md, "OTLP/HTTP Response": all others must not be tried again. */
const retryableStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const MAX_MESSAGE = 200;

const typeOf = ({ headers }: HttpAnswer): string => (headers['content-type'] ?? '').toLowerCase();
const isSuccess = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300;

export const isHtml = (answer: HttpAnswer): boolean =>
  typeOf(answer).includes('html') ||
  /^\s*<(?:!doctype|html)/i.test(answer.body.toString('latin1', 0, 100));

/** A receiver took the request. A login page or a web server's greeting is a 200, too. */
export const isTaken = (answer: HttpAnswer): boolean =>
  isSuccess(answer) &&
  (answer.body.length === 0 || /protobuf|json|octet-stream/.test(typeOf(answer)));

/** What an answer to spans means for them. */
export function judge(answer: HttpAnswer, endpoint: string): SendResult {
  if (isTaken(answer)) return { kind: 'accepted', rejectedSpans: rejectedOf(answer) };
  const error = new SkbspanError('SKBSPAN_EXPORT', `OTLP endpoint ${endpoint}: ${inWords(answer)}`);
  // A success that is not OTLP comes from something before the receiver, which mostly goes away again.
  if (isSuccess(answer) || retryableStatuses.has(answer.status))
    return {
      kind: 'retryable',
      error,
      retryAfterMs: readRetryAfterMs(answer.headers['retry-after'], Date.now()),
    };
  return { kind: 'refused', error };
}

/** Milliseconds from `now` of a Retry-After in seconds or as a date; undefined if it is neither. */
export function readRetryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  // All forms of a date in HTTP begin with the day; Date.parse takes nearly anything.
  const date = /^[a-z]{3}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** `503 Service Unavailable: queue is full`. */
export function inWords(answer: HttpAnswer): string {
  const { status, headers } = answer;
  const name = STATUS_CODES[status];
  const line = name === undefined ? String(status) : `${status} ${name}`;
  if (status >= 300 && status < 400) return `${line}, to ${headers.location ?? 'nowhere'}`;
  const said = messageOf(answer);
  return said === '' ? line : `${line}: ${said}`;
}

/** The server's own words on one line: of a protobuf Status, of JSON, the title of a page, or the text itself. */
function messageOf(answer: HttpAnswer): string {
  const { body } = answer;
  const text = body.toString();
  let said = text;
  if (typeOf(answer).includes('protobuf')) said = statusMessage(body);
  else if (typeOf(answer).includes('json')) said = jsonMessage(text) ?? text;
  else if (isHtml(answer)) {
    const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1]?.trim() ?? '';
    said = title === '' ? 'a page of HTML' : `a page of HTML, '${title}'`;
  }
  // Whatever it is, it will be on a terminal.
  const line = said.replace(/[\p{C}\s]+/gu, ' ').trim();
  return line.length > MAX_MESSAGE ? `${line.slice(0, MAX_MESSAGE)}...` : line;
}

/** google.rpc.Status: 1 int32 code, 2 string message, 3 repeated Any details. */
function statusMessage(body: Uint8Array): string {
  for (const { number, value } of readFields(body))
    if (number === 2 && value instanceof Uint8Array) return Buffer.from(value).toString();
  return '';
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function jsonMessage(text: string): string | undefined {
  const { message, error } = parseJson(text);
  return [message, error].find((value) => typeof value === 'string');
}

/** JSON, though protobuf was asked for, is what some receivers answer; int64 is text there. */
function rejectedOf(answer: HttpAnswer): number {
  if (!typeOf(answer).includes('json')) return readRejected(answer.body);
  const { partialSuccess } = parseJson(answer.body.toString());
  if (typeof partialSuccess !== 'object' || partialSuccess === null) return 0;
  const { rejectedSpans = 0 } = partialSuccess as { rejectedSpans?: unknown };
  const rejected = Number(rejectedSpans);
  return rejected > 0 ? rejected : 0;
}
