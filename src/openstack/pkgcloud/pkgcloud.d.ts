/** What Slipway uses of pkgcloud 2.2.0, which brings no types; `@types/pkgcloud` describes 1.7 and lacks Neutron and the generic call. */
declare module "pkgcloud" {
  import type { Agent, IncomingMessage } from "node:http";

  /** An answer, or the reason why there is none. Statuses outside pkgcloud's list arrive as success. */
  export type Callback = (error: Error | null | undefined, body?: unknown, response?: IncomingMessage) => void;

  /** A request in pkgcloud's words; `path` is below the service's address. */
  export interface RequestOptions {
    method?: string;
    path?: string;
    qs?: Record<string, unknown>;
    body?: object;
  }

  /** What the hooks of `before` may change: the options of the HTTP library `request`. */
  export interface HttpOptions {
    agent?: Agent;
    proxy?: null;
    followRedirect?: boolean;
    useQuerystring?: boolean;
  }

  /** A running request of the HTTP library `request`. */
  export interface RunningRequest {
    uri: { href: string };
    abort(): void;
    on(event: "data", listener: (chunk: Buffer) => void): this;
  }

  /** Where a client takes token and address from; pkgcloud's own logs in with a password. */
  export interface Identity {
    token: { id: string; expires: Date };
    on(event: string, listener: (...values: unknown[]) => void): void;
    authorize(done: (error?: Error) => void): void;
    getServiceEndpointUrl(): string;
  }

  export interface ClientOptions {
    provider: "openstack";
    authUrl: string;
    strictSSL: boolean;
    identity: new () => Identity;
  }

  export interface Client {
    before: ((options: HttpOptions) => void)[];
    /** Statuses that become errors, with pkgcloud's words for them. */
    failCodes: Record<number, string>;
    auth(done: (error?: Error) => void): void;
    _request(options: RequestOptions, callback: Callback): RunningRequest | undefined;
  }

  export interface ComputeClient extends Client {
    getServer(id: string, callback: Callback): void;
    getServers(query: Record<string, unknown>, callback: Callback): void;
    startServer(id: string, callback: Callback): void;
    stopServer(id: string, callback: Callback): void;
    _doServerAction(id: string, action: object, callback: Callback): void;
    listKeys(callback: Callback): void;
  }

  export interface NetworkClient extends Client {
    getPort(id: string, callback: Callback): void;
    updatePort(port: { id: string; security_groups?: string[] }, callback: Callback): void;
    createSecurityGroup(group: { name: string; description: string }, callback: Callback): void;
    destroySecurityGroup(id: string, callback: Callback): void;
  }

  const pkgcloud: {
    compute: { createClient(options: ClientOptions): ComputeClient };
    network: { createClient(options: ClientOptions): NetworkClient };
  };
  export default pkgcloud;
}
