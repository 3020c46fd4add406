import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { SkbspanError } from '../../errors.ts';
import type { HttpConfig } from './config.ts';
import { explainAnswer, explainFailure, failureInWords } from './http-advice.ts';
import { judge } from './http-answer.ts';
import { createHttpExchange, type HttpAnswer } from './http-exchange.ts';
import type { Service, Transport } from './transport.ts';

const PROBE_TIMEOUT_MS = 5_000;
const compress = promisify(gzip);

/** OTLP/HTTP with protobuf. Opens no connection yet; throws UsageError on headers or TLS files that cannot be used. */
export function createHttpTransport(config: HttpConfig, service: Service): Transport {
  const { endpoint, compression } = config;
  const exchange = createHttpExchange(config);

  const post = async (request: Uint8Array, timeoutMs: number): Promise<HttpAnswer | Error> => {
    const body = compression === 'gzip' ? await compress(request) : request;
    return exchange.post(body, timeoutMs);
  };

  return {
    async send(request) {
      const answer = await post(request, config.timeoutMs);
      if (!(answer instanceof Error)) return judge(answer, endpoint);
      const error = new SkbspanError(
        'SKBSPAN_EXPORT',
        `OTLP endpoint ${endpoint}: ${failureInWords(answer)}`,
        { cause: answer },
      );
      return { kind: 'retryable', error, retryAfterMs: undefined };
    },
    async probe() {
      const timeoutMs = Math.min(config.timeoutMs, PROBE_TIMEOUT_MS);
      const answer = await post(new Uint8Array(), timeoutMs);
      const problem =
        answer instanceof Error
          ? explainFailure(answer, config)
          : explainAnswer(answer, config, service);
      if (problem !== undefined) throw problem;
    },
    close() {
      exchange.close();
    },
  };
}
