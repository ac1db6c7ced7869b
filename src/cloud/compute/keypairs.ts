import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { ApiError } from "../http/api-error.ts";
import { parseSchema } from "../http/json-schema-words.ts";
import { isoMicrosNoZone, isoSeconds } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { ComputeContext } from "./context.ts";
import { nova } from "./errors.ts";
import { findKeypair, type Keypair } from "./keypair-records.ts";
import { demandOnly, firstOf, nextLinks, pageAfter, type Query } from "./paging.ts";
import { limitsOf } from "./quota-limits.ts";
import { name, since } from "./schema-types.ts";

const lettersAndDigits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** What a key's name may hold: since 2.92 also what addresses are made of. */
const keyName = (microversion: number) => {
  const safe = `${microversion >= 92 ? "@._- " : "_- "}${lettersAndDigits}`;
  return name.superRefine((text, context) => {
    if ([...text].every((letter) => safe.includes(letter))) return;
    const message = `An invalid 'name' value was provided. The name must be: Only expected characters: [${safe}]`;
    context.addIssue({ code: "custom", message, params: { whole: true } });
  });
};

const createBody = (microversion: number) =>
  z.strictObject({
    keypair: z.strictObject({
      name: keyName(microversion),
      type: since(microversion, 2, z.enum(["ssh", "x509"])),
      public_key: microversion >= 92 ? z.string() : z.string().optional(),
      user_id: since(microversion, 10, z.string()),
    }),
  });

/** MD5 of the key blob in pairs of hex digits, as Nova shows it. */
function fingerprintOf(publicKey: string): string {
  const [kind = "", blob = ""] = publicKey.trim().split(/\s+/);
  const bytes = Buffer.from(blob, "base64");
  const named = bytes.length > 4 ? bytes.subarray(4, 4 + bytes.readUInt32BE(0)).toString("latin1") : "";
  if (kind === "" || named !== kind) throw nova.badRequest("Keypair data is invalid: failed to generate fingerprint");
  const md5 = createHash("md5").update(bytes).digest("hex");
  return md5.match(/../g)?.join(":") ?? "";
}

/** `/os-keypairs` */
export function keypairRoutes(app: FastifyInstance, { store, keypairs: table, quotas, base }: ComputeContext): void {
  const userOf = (scope: Scope, asked: string | undefined, action: string) => {
    if (asked === undefined || asked === scope.userId) return scope.userId;
    if (!isAdmin(scope)) throw nova.forbidden(`os_compute_api:os-keypairs:${action}`);
    return asked;
  };
  const existing = (userId: string, called: string) => {
    const pair = findKeypair(table, userId, called);
    if (pair === undefined) throw nova.keypairNotFound(called, userId);
    return pair;
  };
  interface One {
    Params: { name: string };
    Querystring: Query;
  }
  /** Another user's keys, which administrators may name since 2.10. */
  const askedUser = (query: Query, microversion: number) => {
    if (microversion >= 75) demandOnly(query, microversion >= 35 ? ["user_id", "limit", "marker"] : ["user_id"]);
    return microversion >= 10 ? firstOf(query.user_id) : undefined;
  };

  app.get<{ Querystring: Query }>("/os-keypairs", ({ scope, query, microversion }) => {
    const userId = userOf(scope, askedUser(query, microversion), "index");
    const own = table
      .list((pair) => pair.userId === userId)
      .toSorted((one, other) => (one.name < other.name ? -1 : Number(one.name > other.name)));
    const missing = (marker: string) => `Marker ${marker} could not be found.`;
    const page = microversion >= 35 ? pageAfter(own, query, (pair) => pair.name, missing) : own;
    const links =
      microversion >= 35
        ? nextLinks(`${base()}/compute/v2.1/os-keypairs`, query, page.length, page.at(-1)?.name)
        : undefined;
    return {
      keypairs: page.map((pair) => ({ keypair: { ...short(pair), ...typed(microversion) } })),
      ...(links === undefined ? {} : { keypairs_links: links }),
    };
  });

  app.get<One>("/os-keypairs/:name", ({ scope, params, query, microversion }) => {
    const pair = existing(userOf(scope, askedUser(query, microversion), "show"), params.name);
    return {
      keypair: {
        ...short(pair),
        user_id: pair.userId,
        created_at: isoMicrosNoZone(pair.createdAt),
        deleted: false,
        deleted_at: null,
        id: pair.number,
        updated_at: null,
        ...typed(microversion),
      },
    };
  });

  app.post("/os-keypairs", ({ scope, body, microversion }, reply) => {
    const { keypair: asked } = parseSchema(createBody(microversion), body ?? null);
    const userId = userOf(scope, asked.user_id, "create");
    if (asked.type === "x509") throw nova.badRequest("Keypairs of type x509 are not offered by this cloud.");
    const generated = asked.public_key === undefined ? generateSshKey() : undefined;
    const publicKey = asked.public_key ?? generated?.publicKey ?? "";
    const fingerprint = fingerprintOf(publicKey);
    const pair = store.transaction(() => {
      const own = table.list((other) => other.userId === userId);
      const most = limitsOf(quotas, scope.project?.id ?? "").key_pairs;
      if (most >= 0 && own.length >= most) throw new ApiError(403, "Quota exceeded, too many key pairs.");
      if (own.some((other) => other.name === asked.name)) throw nova.keypairExists(asked.name);
      return table.put({
        id: `${userId}/${asked.name}`,
        number: table.list().reduce((max, other) => Math.max(max, other.number), 0) + 1,
        userId,
        name: asked.name,
        publicKey,
        fingerprint,
        createdAt: isoSeconds(),
      });
    });
    const secret = generated === undefined ? {} : { private_key: generated.privateKey };
    return reply
      .code(microversion >= 2 ? 201 : 200)
      .send({ keypair: { ...secret, ...typed(microversion), ...short(pair), user_id: userId } });
  });

  app.delete<One>("/os-keypairs/:name", ({ scope, params, query, microversion }, reply) => {
    table.delete(existing(userOf(scope, askedUser(query, microversion), "delete"), params.name).id);
    return reply.code(microversion >= 2 ? 204 : 202).send();
  });
}

const typed = (microversion: number) => (microversion >= 2 ? { type: "ssh" } : {});

function short({ name: called, publicKey, fingerprint }: Keypair): Record<string, unknown> {
  return { name: called, public_key: publicKey, fingerprint };
}

/** A new RSA key, as Nova makes one where none is imported. */
function generateSshKey(): { publicKey: string; privateKey: string } {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    publicKey: `${openSshRsa(pair.publicKey)} Generated-by-Nova`,
    privateKey: pair.privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
  };
}

/** RFC 4253 §6.6: string "ssh-rsa", mpint e, mpint n. */
function openSshRsa(key: KeyObject): string {
  const { e = "", n = "" } = key.export({ format: "jwk" });
  const field = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const mpint = (text: string) => {
    const bytes = Buffer.from(text, "base64url");
    return field((bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
  };
  const blob = Buffer.concat([field(Buffer.from("ssh-rsa")), mpint(e), mpint(n)]);
  return `ssh-rsa ${blob.toString("base64")}`;
}
