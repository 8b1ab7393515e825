/** Requests of the AWS SDK through tsbuild's own HTTP client: proxies, certificates and timeouts as for registries. */
import { type HttpAnswer, type HttpClient, type HttpRequest, isTransient } from '@tsbuild/registry';

/** What the SDK hands over: a request that is signed, header for header. */
export interface SdkRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body?: unknown;
}

export interface SdkResponse {
  statusCode: number;
  headers: Record<string, string>;
  body: HttpAnswer['body'];
}

interface HandlerOptions {
  abortSignal?: unknown;
  /** Until the answer begins, milliseconds. */
  requestTimeout?: number;
}

export function sdkHandler(http: HttpClient, headersTimeoutMs: number) {
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    async handle(request: SdkRequest, options: HandlerOptions = {}): Promise<{ response: SdkResponse }> {
      const { abortSignal, requestTimeout } = options;
      try {
        const { status, headers, body } = await http.send({
          method: request.method as HttpRequest['method'],
          url: urlOf(request),
          headers: request.headers,
          ...(request.body === undefined ? {} : { body: request.body as Uint8Array | string }),
          signal: abortSignal instanceof AbortSignal ? abortSignal : new AbortController().signal,
          headersTimeoutMs: requestTimeout ?? headersTimeoutMs,
        });
        return { response: { statusCode: status, headers, body } };
      } catch (error) {
        // The SDK knows the codes of Node's own client only.
        if (error instanceof Error && isTransient(error)) Object.assign(error, { $retryable: {} });
        throw error;
      }
    },
    updateHttpClientConfig(): void {},
    httpHandlerConfigs: () => ({}),
    // The client outlives the SDK's clients: providers of credentials make their own and destroy them.
    destroy(): void {},
  };
}

function urlOf({ protocol, hostname, port, path, query = {} }: SdkRequest): URL {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? ''].flat().map((one) => `${encode(name)}=${encode(one)}`),
  );
  const search = pairs.length === 0 ? '' : `?${pairs.join('&')}`;
  return new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}${path}${search}`);
}

/** RFC 3986, as the signature has it. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
