import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { judge, readRetryAfterMs } from '../../../src/exporters/otlp/http-answer.ts';
import { partialSuccess, statusReply, type HttpReply } from './http-receiver.ts';

const judged = ({ status = 200, headers = {}, body = '' }: HttpReply): ReturnType<typeof judge> =>
  judge({ status, headers, body: Buffer.from(body) }, 'http://c/v1/traces');
const protobuf = { 'content-type': 'application/x-protobuf' };
const html = { 'content-type': 'text/html; charset=utf-8' };
const json = { 'content-type': 'application/json' };

describe('what is accepted, and what of it is not', () => {
  const cases: { name: string; reply: HttpReply; rejectedSpans: number }[] = [
    { name: 'nothing more', reply: { headers: protobuf }, rejectedSpans: 0 },
    { name: 'no content, no type', reply: { status: 204 }, rejectedSpans: 0 },
    { name: 'a partial success', reply: partialSuccess(3, 'too old'), rejectedSpans: 3 },
    { name: 'a warning', reply: partialSuccess(0, 'slow down'), rejectedSpans: 0 },
    {
      name: 'a partial success in JSON',
      reply: { headers: json, body: '{"partialSuccess":{"rejectedSpans":"4"}}' },
      rejectedSpans: 4,
    },
    { name: 'JSON', reply: { headers: json, body: '{}' }, rejectedSpans: 0 },
    {
      name: 'what cannot be read',
      reply: { headers: protobuf, body: Buffer.from([0x0a, 0x7f, 0xff]) },
      rejectedSpans: 0,
    },
    { name: 'JSON that is none', reply: { headers: json, body: '{"parti' }, rejectedSpans: 0 },
  ];
  for (const { name, reply, rejectedSpans } of cases)
    test(name, () => {
      assert.deepEqual(judged(reply), { kind: 'accepted', rejectedSpans });
    });
});

describe('what is tried again, and what is refused', () => {
  const retry = { headers: { 'retry-after': '7' } };
  const cases: {
    reply: HttpReply;
    kind: 'retryable' | 'refused';
    retryAfterMs?: number;
    message: RegExp;
  }[] = [
    { reply: { status: 429, ...retry }, kind: 'retryable', retryAfterMs: 7000, message: /429 Too/ },
    { reply: { status: 502 }, kind: 'retryable', message: /502 Bad Gateway$/ },
    {
      reply: statusReply(503, 'queue is full'),
      kind: 'retryable',
      message: /: 503 Service Unavailable: queue is full$/,
    },
    { reply: { status: 504 }, kind: 'retryable', message: /504/ },
    {
      reply: { headers: html, body: '<html><head><title>Please\n log in</title>' },
      kind: 'retryable',
      message: /200 OK: a page of HTML, 'Please log in'/,
    },
    { reply: { status: 500, ...retry }, kind: 'refused', message: /500 Internal Server Error$/ },
    { reply: { status: 408 }, kind: 'refused', message: /408/ },
    {
      reply: statusReply(400, 'invalid trace id'),
      kind: 'refused',
      message: /400 Bad Request: invalid trace id$/,
    },
    {
      reply: { status: 400, headers: json, body: '{"code":3,"message":"bad span"}' },
      kind: 'refused',
      message: /400 Bad Request: bad span$/,
    },
    {
      reply: { status: 401, body: 'no\u001b[31m token\r\n' },
      kind: 'refused',
      message: /401 Unauthorized: no \[31m token$/,
    },
    { reply: { status: 413, body: 'x'.repeat(5000) }, kind: 'refused', message: /: x{200}\.\.\.$/ },
    {
      reply: { status: 404, headers: html, body: '<p>' },
      kind: 'refused',
      message: /404 Not Found: a page of HTML$/,
    },
    {
      reply: { status: 307, headers: { location: 'https://other/' } },
      kind: 'refused',
      message: /307 Temporary Redirect, to https:\/\/other\/$/,
    },
    { reply: { status: 599 }, kind: 'refused', message: /: 599$/ },
  ];
  for (const { reply, kind, retryAfterMs, message } of cases)
    test(`${reply.status ?? 200} ${message.source}`, () => {
      const result = judged(reply);
      assert.ok(result.kind !== 'accepted');
      assert.equal(result.kind, kind);
      assert.equal(result.error.code, 'SKBSPAN_EXPORT');
      assert.match(result.error.message, message);
      if (result.kind === 'retryable') assert.equal(result.retryAfterMs, retryAfterMs);
    });
});

test('Retry-After: seconds, or a date', () => {
  const now = Date.parse('Wed, 21 Oct 2026 07:28:00 GMT');
  const cases: [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['0', 0],
    [' 120 ', 120_000],
    ['Wed, 21 Oct 2026 07:28:30 GMT', 30_000],
    ['Wed, 21 Oct 2026 07:27:00 GMT', 0],
    ['Wednesday, 21-Oct-26 07:28:30 GMT', 30_000],
    ['-5', undefined],
    ['1.5', undefined],
    ['soon', undefined],
  ];
  for (const [header, want] of cases)
    assert.equal(readRetryAfterMs(header, now), want, String(header));
});
