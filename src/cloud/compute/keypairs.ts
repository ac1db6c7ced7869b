import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { parseBody } from "../http/body.ts";
import { isoMicrosNoZone, isoSeconds } from "../http/time.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import type { Collection, Store } from "../store/store.ts";
import { nova } from "./errors.ts";

/** A public key that servers are given. Names are unique per user. */
export interface Keypair {
  /** `<user id>/<name>` */
  id: string;
  number: number;
  userId: string;
  name: string;
  /** As it was sent, to the byte: clients compare it with what they gave. */
  publicKey: string;
  fingerprint: string;
  createdAt: string;
}

export function keypairTable(store: Store): Collection<Keypair> {
  return store.collection("keypair");
}

export function findKeypair(table: Collection<Keypair>, userId: string, name: string): Keypair | undefined {
  return table.get(`${userId}/${name}`);
}

const createBody = z.object({
  keypair: z.strictObject({
    name: z.string().min(1).max(255),
    public_key: z.string().min(1).max(16_384).optional(),
    type: z.enum(["ssh", "x509"]).optional(),
    user_id: z.string().optional(),
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
export function keypairRoutes(app: FastifyInstance, store: Store): void {
  const table = keypairTable(store);
  const userOf = (scope: Scope, asked: string | undefined) => {
    if (asked === undefined || asked === scope.userId) return scope.userId;
    if (!isAdmin(scope)) throw nova.badRequest("Only admins may name another user.");
    return asked;
  };
  const typed = (microversion: number) => (microversion >= 2 ? { type: "ssh" } : {});
  const short = (pair: Keypair, microversion: number) => ({
    name: pair.name,
    public_key: pair.publicKey,
    fingerprint: pair.fingerprint,
    ...typed(microversion),
  });
  const existing = (userId: string, name: string) => {
    const pair = findKeypair(table, userId, name);
    if (pair === undefined) throw nova.keypairNotFound(name, userId);
    return pair;
  };
  interface One {
    Params: { name: string };
    Querystring: { user_id?: string };
  }

  app.get<{ Querystring: { user_id?: string } }>("/os-keypairs", ({ scope, query, microversion }) => {
    const userId = userOf(scope, query.user_id);
    const own = table.list((pair) => pair.userId === userId);
    return { keypairs: own.map((pair) => ({ keypair: short(pair, microversion) })) };
  });

  app.get<One>("/os-keypairs/:name", ({ scope, params, query, microversion }) => {
    const pair = existing(userOf(scope, query.user_id), params.name);
    return {
      keypair: {
        ...short(pair, microversion),
        user_id: pair.userId,
        created_at: isoMicrosNoZone(pair.createdAt),
        deleted: false,
        deleted_at: null,
        id: pair.number,
        updated_at: null,
      },
    };
  });

  app.post("/os-keypairs", ({ scope, body, microversion }, reply) => {
    const { keypair } = parseBody(createBody, body);
    const userId = userOf(scope, keypair.user_id);
    if (keypair.type === "x509") throw nova.badRequest("Keypairs of type x509 are not offered by this cloud.");
    if (keypair.public_key === undefined && microversion >= 92) {
      throw nova.badRequest("Invalid input for field/attribute keypair. 'public_key' is a required property");
    }
    const generated = keypair.public_key === undefined ? generateSshKey(keypair.name) : undefined;
    const publicKey = keypair.public_key ?? generated?.publicKey ?? "";
    const pair = store.transaction(() => {
      if (findKeypair(table, userId, keypair.name) !== undefined) throw nova.keypairExists(keypair.name);
      return table.put({
        id: `${userId}/${keypair.name}`,
        number: table.list().reduce((max, other) => Math.max(max, other.number), 0) + 1,
        userId,
        name: keypair.name,
        publicKey,
        fingerprint: fingerprintOf(publicKey),
        createdAt: isoSeconds(),
      });
    });
    const secret = generated === undefined ? {} : { private_key: generated.privateKey };
    return reply
      .code(microversion >= 2 ? 201 : 200)
      .send({ keypair: { ...short(pair, microversion), user_id: userId, ...secret } });
  });

  app.delete<One>("/os-keypairs/:name", ({ scope, params, query, microversion }, reply) => {
    table.delete(existing(userOf(scope, query.user_id), params.name).id);
    return reply.code(microversion >= 2 ? 204 : 202).send();
  });
}

/** A new RSA key, as Nova makes one where none is imported. */
function generateSshKey(name: string): { publicKey: string; privateKey: string } {
  const pair = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    publicKey: `${openSshRsa(pair.publicKey)} ${name}`,
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
