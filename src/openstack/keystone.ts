import { SlipwayError } from "../common/errors.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Credentials, DomainReference, Identity, ProjectReference, UserReference } from "./credentials.ts";
import { faultText, OpenStackError } from "./errors.ts";
import { type Transport, TransportError } from "./transport.ts";

/** A Keystone v3 token and what it is good for. */
export interface Token {
  value: string;
  projectId: string | undefined;
  userId: string;
  catalogue: Catalogue;
}

/** The address of Keystone's v3 API for an `auth_url` with or without its version; old files still say `/v2.0`. */
export function identityUrl(authUrl: string): string {
  const base = authUrl.replace(/\/+$/, "").replace(/\/v2\.0$/, "");
  return base.endsWith("/v3") ? base : `${base}/v3`;
}

/** The body of `POST /v3/auth/tokens`; an application credential is never scoped, it brings its project. */
function tokenRequest({ identity, project }: Pick<Credentials, "identity" | "project">): object {
  const scope = identity.method === "application_credential" ? undefined : project;
  return {
    auth: {
      identity: { methods: [identity.method], [identity.method]: methodBody(identity) },
      ...(scope === undefined ? {} : { scope: { project: scopeBody(scope) } }),
    },
  };
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

function scopeBody(project: ProjectReference): object {
  return project.id === undefined ? { name: project.name, domain: domainBody(project.domain) } : { id: project.id };
}

function domainBody(domain: DomainReference = { id: "default" }): object {
  return domain.name === undefined ? { id: domain.id } : { name: domain.name };
}

/**
 * Logs in.
 * @throws SlipwayError E_AUTH_FAILED (401, 403: the cloud's words and request id), E_CLOUD_UNREACHABLE (no answer);
 * OpenStackError for any other answer than 201
 */
export async function logIn(transport: Transport, credentials: Credentials, timeoutMs: number): Promise<Token> {
  const url = new URL(`${identityUrl(credentials.authUrl)}/auth/tokens`);
  const answer = await transport
    .exchange({
      method: "POST",
      url,
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(tokenRequest(credentials)),
      timeoutMs,
    })
    .catch((error: unknown) => {
      throw error instanceof TransportError ? unreachable(error) : error;
    });
  const body = answer.bytes.toString("utf8");
  const requestId = answer.headers["x-openstack-request-id"];
  if (answer.status === 401 || answer.status === 403) {
    const id = requestId === undefined ? "" : ` (${requestId})`;
    throw new SlipwayError("E_AUTH_FAILED", `${url.origin} refused the credentials: ${faultText(body)}${id}`, {
      hint: "Check user, password, project and domain of your clouds.yaml entry or OS_* variables.",
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
  const { token } = JSON.parse(body) as {
    token: { project?: { id: string }; user: { id: string }; catalog?: Catalogue };
  };
  return { value, projectId: token.project?.id, userId: token.user.id, catalogue: token.catalog ?? [] };
}

/** The user's view of a call without an answer. */
export function unreachable(error: TransportError): SlipwayError {
  return new SlipwayError("E_CLOUD_UNREACHABLE", error.message, {
    hint: "Check the address and your network; for the embedded cloud, `slipway cloud status`.",
    cause: error,
  });
}
