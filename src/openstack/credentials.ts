/** Who logs in: one of the Keystone v3 methods that Slipway speaks. Domains by id or by name. */
export type Identity =
  | { method: "password"; user: UserReference; password: string }
  | { method: "token"; token: string }
  | { method: "application_credential"; id?: string; name?: string; user?: UserReference; secret: string };

/** A user by id, or by name within a domain. */
export interface UserReference {
  id?: string;
  name?: string;
  domain?: DomainReference;
}

/** A domain by id or by name. */
export interface DomainReference {
  id?: string;
  name?: string;
}

/** The project that a token is asked for; application credentials bring their own. */
export interface ProjectReference {
  id?: string;
  name?: string;
  domain?: DomainReference;
}

/** TLS material as PEM text. */
export interface TlsSettings {
  verify: boolean;
  ca?: string;
  cert?: string;
  key?: string;
}

/** Everything that is needed to open a session. */
export interface Credentials {
  /** Keystone's address, with or without `/v3`. */
  authUrl: string;
  identity: Identity;
  project?: ProjectReference;
  /** Without a project: the domain that the token is asked for. */
  domain?: DomainReference;
  /** Without a project and a domain: the token is asked for the whole cloud. */
  system?: true;
  region?: string;
  interface: "public" | "internal" | "admin";
  tls: TlsSettings;
  /** The entry of clouds.yaml that they come from. */
  cloud?: string;
  /** The file that holds that entry. */
  cloudsFile?: string;
}
