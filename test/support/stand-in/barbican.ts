import { randomUUID } from "node:crypto";
import { Refusal, type Reply, type Request, type Service } from "./server.ts";

/*
 * Barbican's API as far as the provider's secrets use it. Every status, message and field here was answered by Barbican 23.0.0 itself
 * (with its simple crypto plugin): a content once and never again, 415 and 400 for what is none, the type without its character set,
 * metadata by single keys (POST 201, 409 for a second; PUT 200, 404 for none; DELETE 204), the access list before anybody has set
 * it, 204 for the DELETE of a secret and 404 for its second. Not from there: 403 for a content that may not be read.
 * The lives in test/provider/service-lives.test.ts pass with the real service in its place.
 */

type Json = Record<string, unknown>;

interface Secret {
  view: Json;
  content?: Buffer;
  metadata: Record<string, string>;
  acl: Json;
}

const types = ["symmetric", "passphrase", "private", "public", "certificate", "opaque"];

export class Barbican implements Service {
  readonly prefix = "/barbican/v1";
  /** Set: contents may not be read. */
  sealed = false;
  readonly #secrets = new Map<string, Secret>();
  /** Where the service says that its secrets are. */
  readonly #base: () => string;

  constructor(base: () => string) {
    this.#base = base;
  }

  /** The secret's content and notes, to look at and to change behind the provider's back. */
  secret(id: string): Secret {
    const found = this.#secrets.get(id);
    if (found === undefined) throw refusal(404, "Not Found", "Secret not found.");
    return found;
  }

  answer(request: Request): Reply {
    const { method, path, query, json = {} } = request;
    const [first, id, part, key] = path;
    if (first !== "secrets") return { status: 404 };
    if (id === undefined) return method === "POST" ? this.#create(json) : this.#list(query);
    if (!/^[0-9a-f-]{36}$/.test(id)) throw refusal(404, "Not Found", "Not Found. Provided secret id is invalid.");
    const secret = this.secret(id);
    if (part === "payload") return this.#content(secret, request);
    if (part === "metadata") return this.#metadata(method, secret, key, json);
    if (part === "acl") return acl(method, secret, json);
    if (method === "GET") return { status: 200, body: secret.view };
    if (method === "PUT") return put(secret, request);
    this.#secrets.delete(id);
    return { status: 204 };
  }

  #create(json: Json): Reply {
    const { secret_type: type = "opaque", expiration } = json;
    if (!types.includes(String(type))) {
      throw mismatch(`'${type}' is not one of ['${types.join("', '")}']. Invalid property: 'secret_type'`);
    }
    if (typeof expiration === "string" && Date.parse(expiration) < Date.now()) {
      throw mismatch("'expiration' is before current time. Invalid property: 'expiration'");
    }
    if (json.payload !== undefined && json.payload_content_type === undefined) {
      throw mismatch("If 'payload' is supplied, 'payload_content_type' must also be supplied.");
    }
    const id = randomUUID();
    const reference = `${this.#base()}${this.prefix}/secrets/${id}`;
    const now = new Date().toISOString().replace("Z", "123");
    const view = {
      created: now,
      updated: now,
      status: "ACTIVE",
      name: json.name ?? null,
      secret_type: type,
      expiration: typeof expiration === "string" ? new Date(expiration).toISOString().slice(0, 19) : null,
      algorithm: json.algorithm ?? null,
      bit_length: json.bit_length ?? null,
      mode: json.mode ?? null,
      creator_id: null,
      secret_ref: reference,
    };
    this.#secrets.set(id, { view, metadata: {}, acl: { "project-access": true } });
    return { status: 201, body: { secret_ref: reference }, headers: { location: reference } };
  }

  #list(query: URLSearchParams): Reply {
    const found = [...this.#secrets.values()].filter(({ view }) => view.name === query.get("name"));
    return { status: 200, body: { secrets: found.map(({ view }) => view), total: found.length } };
  }

  #content({ content }: Secret, { headers }: Request): Reply {
    if (this.sealed)
      throw refusal(
        403,
        "Forbidden",
        "Secret payload retrieval attempt not allowed - please review your user/project privileges",
      );
    if (content === undefined) throw refusal(404, "Not Found", "Not Found. Sorry but your secret has no payload.");
    return {
      status: 200,
      body: content.toString("utf8"),
      headers: { "content-type": headers.accept ?? "text/plain" },
    };
  }

  #metadata(method: string, secret: Secret, key: string | undefined, json: Json): Reply {
    const { metadata } = secret;
    if (key === undefined && method === "GET") return { status: 200, body: { metadata } };
    const name = key ?? String(json.key);
    if (method === "POST") {
      if (metadata[name] !== undefined) {
        throw refusal(409, "Conflict", "Conflict. Key in request is already in the secret metadata");
      }
      metadata[name] = String(json.value);
      return { status: 201, body: json };
    }
    if (method === "PUT") {
      if (metadata[name] === undefined) throw refusal(404, "Not Found", "Secret metadata not found.");
      metadata[name] = String(json.value);
      return { status: 200, body: json };
    }
    delete metadata[name];
    return { status: 204 };
  }
}

function put(secret: Secret, { headers, text }: Request): Reply {
  const [type = "", encoding] = [headers["content-type"], headers["content-encoding"]];
  const bare = type.split(";")[0]?.trim() ?? "";
  if (bare !== "text/plain" && bare !== "application/octet-stream") {
    const known = "['application/octet-stream', 'text/plain']";
    throw refusal(415, "Unsupported Media Type", `Unexpected content type. Expected content types are: ${known}`);
  }
  if (text === "") throw refusal(400, "Bad Request", "Secret update issue seen - No data supplied to process..");
  if (bare === "application/octet-stream" && encoding !== undefined && encoding !== "base64") {
    throw refusal(
      400,
      "Bad Request",
      "Secret update issue seen - Text-based binary secret payloads must specify a content-encoding of 'base64'.",
    );
  }
  if (secret.content !== undefined) throw refusal(409, "Conflict", "Secret already has data, cannot modify it.");
  secret.content = Buffer.from(text, encoding === "base64" ? "base64" : "utf8");
  secret.view.content_types = { default: bare };
  return { status: 204 };
}

function acl(method: string, secret: Secret, json: Json): Reply {
  if (method === "GET") return { status: 200, body: { read: secret.acl } };
  const now = new Date().toISOString().replace("Z", "456");
  const { created = now } = secret.acl;
  const given = json.read as Json;
  const former = method === "PATCH" ? secret.acl : { users: [], "project-access": true };
  secret.acl = { ...former, ...given, created, updated: now };
  return { status: 200, body: { acl_ref: `${secret.view.secret_ref}/acl` } };
}

function mismatch(why: string): Refusal {
  return refusal(400, "Bad Request", `Provided object does not match schema 'Secret': ${why}`);
}

function refusal(code: number, title: string, description: string): Refusal {
  return new Refusal(code, { code, title, description });
}
