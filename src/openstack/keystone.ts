import { SlipwayError } from "../common/errors.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Credentials, DomainReference, Identity, ProjectReference, UserReference } from "./credentials.ts";
import { faultText, OpenStackError } from "./errors.ts";
import type { Transport, TransportError } from "./transport.ts";

/** Something of Keystone's by id and name. */
interface Named {
  id: string;
  name: string;
}

/** What Keystone says of a token: who has it, and for what. */
export interface TokenBody {
  user: Named & { domain: Named };
  project?: Named & { domain: Named };
  domain?: Named;
  roles?: Named[];
  catalog?: Catalogue;
}

/** A Keystone v3 token and what it is good for. */
export interface Token {
  value: string;
  projectId: string | undefined;
  userId: string;
  catalogue: Catalogue;
  body: TokenBody;
}

/** The address of Keystone's v3 API for an `auth_url` with or without its version; old files still say `/v2.0`. */
export function identityUrl(authUrl: string): string {
  const base = authUrl.replace(/\/+$/, "").replace(/\/v2\.0$/, "");
  return base.endsWith("/v3") ? base : `${base}/v3`;
}

/** The body of `POST /v3/auth/tokens`; an application credential is never scoped, it brings its project. */
function tokenRequest(credentials: Credentials): object {
  const { identity } = credentials;
  const scope = identity.method === "application_credential" ? undefined : scopeOf(credentials);
  return {
    auth: {
      identity: { methods: [identity.method], [identity.method]: methodBody(identity) },
      ...(scope === undefined ? {} : { scope }),
    },
  };
}

function scopeOf({ project, domain, system }: Credentials): object | undefined {
  if (project !== undefined) return { project: projectBody(project) };
  if (domain !== undefined) return { domain: domainBody(domain) };
  return system ? { system: { all: true } } : undefined;
}

function methodBody(identity: Identity): object {
  switch (identity.method) {
    case "password":
      return { user: { ...userBody(identity.user), password: identity.password } };
    case "token":
      return { id: identity.token };
    case "application_credential":
      return identity.id === undefined
        ? { name: identity.name, user: userBody(identity.user ?? {}), secret: identity.secret }
        : { id: identity.id, secret: identity.secret };
  }
}

function userBody(user: UserReference): object {
  return user.id === undefined ? { name: user.name, domain: domainBody(user.domain) } : { id: user.id };
}

function projectBody(project: ProjectReference): object {
  return project.id === undefined ? { name: project.name, domain: domainBody(project.domain) } : { id: project.id };
}

function domainBody(domain: DomainReference = { id: "default" }): object {
  return domain.name === undefined ? { id: domain.id } : { name: domain.name };
}

/**
 * Logs in.
 * @throws SlipwayError E_AUTH_FAILED (the cloud's words and request id); TransportError where no answer came;
 * OpenStackError for any other answer than 201
 */
export async function logIn(transport: Transport, credentials: Credentials, timeoutMs: number): Promise<Token> {
  const url = new URL(`${identityUrl(credentials.authUrl)}/auth/tokens`);
  const answer = await transport.exchange({
    method: "POST",
    url,
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(tokenRequest(credentials)),
    timeoutMs,
  });
  const body = answer.bytes.toString("utf8");
  const requestId = answer.headers["x-openstack-request-id"];
  if (isRefusal(answer.status, body, credentials.identity)) {
    const id = requestId === undefined ? "" : ` (${requestId})`;
    throw new SlipwayError("E_AUTH_FAILED", `${url.origin} refused the credentials: ${faultText(body)}${id}`, {
      hint: hints[credentials.identity.method],
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
  const value = answer.headers["x-subject-token"];
  if (answer.status !== 201 || value === undefined) {
    throw new OpenStackError({
      status: answer.status,
      method: "POST",
      url: url.href,
      body,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
  const { token } = JSON.parse(body) as { token: TokenBody };
  return { value, projectId: token.project?.id, userId: token.user.id, catalogue: token.catalog ?? [], body: token };
}

const hints: Record<Identity["method"], string> = {
  password: "Check user, password, project and domain of your clouds.yaml entry or OS_* variables.",
  token: "Get a new token, or log in with a password or an application credential.",
  application_credential: "Check id and secret; a credential that has expired or was deleted must be made anew.",
};

/** Keystone answers a login with an application credential that it does not know with 404, in its own form. */
function isRefusal(status: number, body: string, identity: Identity): boolean {
  if (status === 401 || status === 403) return true;
  return status === 404 && identity.method === "application_credential" && body.includes('"error"');
}

/** What to do about a call without an answer, by Node's error codes. */
const unreachableHints: [RegExp, string][] = [
  [/SELF_SIGNED|UNABLE_TO_/, "Name the authority that signed the cloud's certificate with cacert, or with OS_CACERT."],
  [/ALERT_/, "The cloud wants a certificate: name yours with cert and key, or with OS_CERT and OS_KEY."],
  [/./, "Check the address and your network; for the embedded cloud, `slipway cloud status`."],
];

/** The user's view of a call without an answer. */
export function unreachable(error: TransportError): SlipwayError {
  const [, hint = ""] = unreachableHints.find(([code]) => code.test(error.code)) ?? [];
  return new SlipwayError("E_CLOUD_UNREACHABLE", error.message, { hint, cause: error });
}
