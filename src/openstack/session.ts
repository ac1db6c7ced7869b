import { SlipwayError } from "../common/errors.ts";
import { endpointOf, offers, type ServiceType } from "./catalogue.ts";
import type { Credentials } from "./credentials.ts";
import { OpenStackError } from "./errors.ts";
import { identityUrl, logIn, type Token, unreachable } from "./keystone.ts";
import { defaultRetryLimits, type RetryLimits, withRetries } from "./retry.ts";
import { createTransport, type RawAnswer, type RequestBody, TransportError } from "./transport.ts";

/** Query values; undefined ones are left out, lists are repeated. */
export type Query = Record<string, string | number | boolean | string[] | undefined>;

/** How one call is made. */
interface CallOptions {
  /** An object is sent as JSON; text, bytes and streams as they are. */
  body?: object | RequestBody;
  query?: Query;
  /** Nova's microversion, e.g. `2.26`; 2.1 without it. */
  microversion?: string;
  /** The statuses that are success; by default those that gophercloud expects of the method. */
  expect?: number[];
  headers?: Record<string, string>;
  /** Milliseconds for each attempt; the session's unless given. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** An answer with an expected status. */
interface Answer<T> {
  status: number;
  headers: Record<string, string>;
  /** The JSON body; undefined where the answer is not JSON. */
  body: T;
  bytes: Buffer;
  requestId: string | undefined;
}

/** A logged-in view of one cloud and project. The login happens with the first call and once more after a 401. */
export interface Session {
  readonly authUrl: string;
  readonly region: string | undefined;
  projectId(): Promise<string>;
  userId(): Promise<string>;
  /** A service's base address, version included, without a slash at its end. */
  endpoint(type: ServiceType): Promise<string>;
  /** Whether the cloud has such a service. */
  offers(type: ServiceType): Promise<boolean>;
  /** A token for clients that speak for themselves. */
  token(): Promise<string>;
  /**
   * @param path below the service's base address, e.g. `/servers/ID`
   * @throws OpenStackError for an unexpected status; SlipwayError E_AUTH_FAILED, E_CLOUD_UNREACHABLE
   */
  request<T = unknown>(service: ServiceType, method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  close(): void;
}

/** Times in milliseconds. */
export interface SessionOptions {
  /** Deadline of each attempt of each call; 60 000 unless told otherwise. */
  timeoutMs?: number;
  retries?: Partial<RetryLimits>;
}

const expectedStatuses: Record<string, number[]> = {
  GET: [200],
  HEAD: [200, 204],
  POST: [200, 201, 202],
  PUT: [200, 201, 202],
  PATCH: [200, 202, 204],
  DELETE: [200, 202, 204],
};

/** Opens a session; nothing is sent before the first call. */
export function openSession(credentials: Credentials, options: SessionOptions = {}): Session {
  const { timeoutMs = 60_000 } = options;
  const limits = { ...defaultRetryLimits, ...options.retries };
  const transport = createTransport(credentials.tls);
  let current: Promise<Token> | undefined;

  const token = (): Promise<Token> => {
    current ??= withRetries("POST", () => logIn(transport, credentials, timeoutMs), limits).catch((error: unknown) => {
      current = undefined;
      throw error;
    });
    return current;
  };

  async function attempt(
    service: ServiceType,
    method: string,
    path: string,
    call: CallOptions,
  ): Promise<{ url: URL; used: Promise<Token>; answer: RawAnswer }> {
    const used = token();
    const { value, catalogue } = await used;
    const url = withQuery(new URL(endpointOf(catalogue, service, credentials) + path), call.query);
    const answer = await transport.exchange({
      method,
      url,
      headers: { accept: "application/json", "x-auth-token": value, ...headersOf(service, call) },
      ...(call.body === undefined ? {} : { body: encode(call.body) }),
      timeoutMs: call.timeoutMs ?? timeoutMs,
      ...(call.signal === undefined ? {} : { signal: call.signal }),
    });
    return { url, used, answer };
  }

  async function once<T>(service: ServiceType, method: string, path: string, call: CallOptions): Promise<Answer<T>> {
    let made = await attempt(service, method, path, call);
    if (made.answer.status === 401) {
      if (current === made.used) current = undefined; // another call may have logged in again already
      made = await attempt(service, method, path, call);
    }
    return checked<T>(made.answer, method, made.url, call.expect ?? expectedStatuses[method] ?? [200]);
  }

  return {
    authUrl: identityUrl(credentials.authUrl),
    region: credentials.region,
    token: async () => (await token()).value,
    userId: async () => (await token()).userId,
    projectId: async () => (await token()).projectId ?? unscoped(),
    endpoint: async (type) => endpointOf((await token()).catalogue, type, credentials),
    offers: async (type) => offers((await token()).catalogue, type),
    request: async (service, method, path, call = {}) => {
      try {
        return await withRetries(method, () => once(service, method, path, call), limits, call.signal);
      } catch (error) {
        throw error instanceof TransportError ? unreachable(error) : error;
      }
    },
    close: () => transport.close(),
  };
}

function checked<T>(answer: RawAnswer, method: string, url: URL, expect: number[]): Answer<T> {
  const { status, headers, bytes } = answer;
  const requestId = headers["x-openstack-request-id"] ?? headers["x-compute-request-id"] ?? headers["x-trans-id"];
  const refuse = (body: string) => {
    const retryAfter = secondsOf(headers["retry-after"]);
    return new OpenStackError({
      status,
      method,
      url: url.href,
      body,
      ...(requestId === undefined ? {} : { requestId }),
      ...(retryAfter === undefined ? {} : { retryAfter }),
    });
  };
  if (!expect.includes(status)) throw refuse(bytes.toString("utf8"));
  return { status, headers, body: parsed(headers, bytes, refuse) as T, bytes, requestId };
}

function parsed(headers: Record<string, string>, bytes: Buffer, refuse: (body: string) => OpenStackError): unknown {
  if (bytes.length === 0 || !(headers["content-type"] ?? "").includes("application/json")) return undefined;
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw refuse("the answer says that it is JSON and is not"); // the parser's own message quotes the body's first bytes only
  }
}

/** `Retry-After` as seconds or as an HTTP date. */
function secondsOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}

function headersOf(service: ServiceType, call: CallOptions): Record<string, string> {
  const version: Record<string, string> =
    call.microversion === undefined
      ? {}
      : {
          "openstack-api-version": `${service} ${call.microversion}`,
          "x-openstack-nova-api-version": call.microversion,
        };
  const json: Record<string, string> = isJsonBody(call.body) ? { "content-type": "application/json" } : {};
  return { ...version, ...json, ...call.headers };
}

function isJsonBody(body: CallOptions["body"]): boolean {
  return typeof body === "object" && !(body instanceof Uint8Array);
}

function encode(body: object | RequestBody): RequestBody {
  if (typeof body === "string" || body instanceof Uint8Array || typeof body === "function") return body as RequestBody;
  return JSON.stringify(body);
}

function withQuery(url: URL, query: Query = {}): URL {
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
  }
  return url;
}

function unscoped(): never {
  throw new SlipwayError("E_CREDENTIALS_MISSING", "the login is not scoped to a project", {
    hint: "Add auth.project_name (or project_id) to your clouds.yaml entry, or set OS_PROJECT_NAME.",
  });
}
