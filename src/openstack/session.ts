import type { Agent } from "node:http";
import { SlipwayError } from "../common/errors.ts";
import { type Answer, judged, requestIdOf } from "./answer.ts";
import { type Catalogue, endpointOf, offers, type ServiceType } from "./catalogue.ts";
import type { Credentials } from "./credentials.ts";
import { identityUrl, logIn, type Token, type TokenBody, unreachable } from "./keystone.ts";
import { defaultRetryLimits, type RetryLimits, withRetries } from "./retry.ts";
import { createTransport, type ExchangeLimits, type RawAnswer, type RequestBody, TransportError } from "./transport.ts";

/** Query values; undefined ones are left out, lists are repeated. */
export type Query = Record<string, string | number | boolean | string[] | undefined>;

/** What a call expects, and how long it may take. */
export interface CallLimits {
  /** The statuses that are success; by default those that gophercloud expects of the method. */
  expect?: number[];
  /** Milliseconds for each attempt; the session's unless given. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** How one call is made. */
interface CallOptions extends CallLimits {
  /** An object is sent as JSON; text, bytes and streams as they are. */
  body?: object | RequestBody;
  query?: Query;
  /** Nova's or Cinder's microversion, e.g. `2.26`; the oldest without it. */
  microversion?: string;
  headers?: Record<string, string>;
}

/** What one attempt of a call is made with. */
export interface Attempt {
  /** The service's base address, version included, without a slash at its end. */
  endpoint: string;
  token: string;
  /** The session's connections to it, with TLS settings and proxy. */
  agent: Agent;
  /** Whether the service's certificate has to be good. */
  verify: boolean;
  limits: ExchangeLimits;
}

/** Makes one exchange and says what came, whatever its status; throws a TransportError where nothing came. */
type Carrier = (given: Attempt) => Promise<RawAnswer>;

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
  /** What Keystone says of the token. */
  tokenBody(): Promise<TokenBody>;
  /**
   * @param path below the service's base address, e.g. `/servers/ID`
   * @throws OpenStackError for an unexpected status; SlipwayError E_AUTH_FAILED, E_CLOUD_UNREACHABLE
   */
  request<T = unknown>(service: ServiceType, method: string, path: string, options?: CallOptions): Promise<Answer<T>>;
  /**
   * A call that another client of HTTP makes: with the session's token, connections and deadline, and as strict as `request`.
   * @throws as `request`
   */
  carry<T = unknown>(service: ServiceType, attempt: Carrier, limits?: CallLimits): Promise<Answer<T>>;
  close(): void;
}

/** Times in milliseconds. */
export interface SessionOptions {
  /** Deadline of each attempt of each call; 60 000 unless told otherwise. */
  timeoutMs?: number;
  retries?: Partial<RetryLimits>;
  /** Base addresses, version included, that count instead of the catalogue's. */
  endpoints?: Partial<Record<ServiceType, string>>;
  /** Services that are reached at the endpoint of another. */
  servedBy?: Partial<Record<ServiceType, ServiceType>>;
  /** False: a token that is refused is not renewed. */
  reauthenticate?: boolean;
  /** Whether calls ask caches on the way for fresh answers. */
  noCache?: boolean;
  /** Is told of each attempt: method, address, status or failure, request id, milliseconds. Never of headers and bodies. */
  log?: (line: string) => void;
}

/** Opens a session; nothing is sent before the first call. */
export function openSession(credentials: Credentials, options: SessionOptions = {}): Session {
  const { timeoutMs = 60_000, reauthenticate = true, log } = options;
  const limits = { ...defaultRetryLimits, ...options.retries };
  const transport = createTransport(credentials.tls);
  let current: Promise<Token> | undefined;

  const token = (): Promise<Token> => {
    current ??= withRetries(() => logIn(transport, credentials, timeoutMs), limits).catch((error: unknown) => {
      current = undefined;
      throw error instanceof TransportError ? unreachable(error) : error;
    });
    return current;
  };

  const baseOf = (service: ServiceType, catalogue: Catalogue) =>
    options.endpoints?.[service]?.replace(/\/+$/, "") ??
    endpointOf(catalogue, options.servedBy?.[service] ?? service, credentials);

  async function once(service: ServiceType, attempt: Carrier, call: CallLimits) {
    const used = token();
    const { value, catalogue } = await used;
    const endpoint = baseOf(service, catalogue);
    const started = performance.now();
    const answer = await attempt({
      endpoint,
      token: value,
      agent: transport.agentFor(new URL(endpoint)),
      verify: credentials.tls.verify,
      limits: {
        timeoutMs: call.timeoutMs ?? timeoutMs,
        ...(call.signal === undefined ? {} : { signal: call.signal }),
      },
    }).catch((error: unknown) => {
      log?.(`${error instanceof Error ? error.message : service}, after ${milliseconds(started)}`);
      throw error;
    });
    log?.(`${answer.method} ${answer.url} ${answer.status} ${requestIdOf(answer) ?? "-"} ${milliseconds(started)}`);
    return { used, answer };
  }

  const carry: Session["carry"] = async <T>(service: ServiceType, attempt: Carrier, call: CallLimits = {}) => {
    const judgedOnce = async () => {
      let { used, answer } = await once(service, attempt, call);
      if (answer.status === 401 && reauthenticate) {
        if (current === used) current = undefined; // another call may have logged in again already
        ({ answer } = await once(service, attempt, call));
      }
      return judged<T>(answer, call.expect);
    };
    try {
      await token(); // its retries are its own
      return await withRetries(judgedOnce, limits, call.signal);
    } catch (error) {
      throw error instanceof TransportError ? unreachable(error) : error;
    }
  };

  return {
    authUrl: identityUrl(credentials.authUrl),
    region: credentials.region,
    token: async () => (await token()).value,
    tokenBody: async () => (await token()).body,
    userId: async () => (await token()).userId,
    projectId: async () => (await token()).projectId ?? unscoped(),
    endpoint: async (type) => baseOf(type, (await token()).catalogue),
    offers: async (type) => options.endpoints?.[type] !== undefined || offers((await token()).catalogue, type),
    request: (service, method, path, call = {}) =>
      carry(
        service,
        ({ endpoint, token: value, limits: given }) =>
          transport.exchange({
            method,
            url: withQuery(new URL(endpoint + path), call.query),
            headers: {
              accept: "application/json",
              "x-auth-token": value,
              ...(options.noCache ? { "cache-control": "no-cache" } : {}),
              ...headersOf(service, call),
            },
            ...(call.body === undefined ? {} : { body: encode(call.body) }),
            ...given,
          }),
        call,
      ),
    carry,
    close: () => transport.close(),
  };
}

function milliseconds(since: number): string {
  return `${Math.round(performance.now() - since)} ms`;
}

function headersOf(service: ServiceType, call: CallOptions): Record<string, string> {
  const version: Record<string, string> =
    call.microversion === undefined
      ? {}
      : {
          "openstack-api-version": `${service === "volumev3" ? "volume" : service} ${call.microversion}`,
          ...(service === "compute" ? { "x-openstack-nova-api-version": call.microversion } : {}),
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
