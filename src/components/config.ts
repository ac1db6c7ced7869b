import { BlockList, isIP } from "node:net";
import { z } from "zod";
import { SlipwayError } from "../common/errors.ts";
import { containersSchema } from "../guest/containers/settings.ts";
import { overlap } from "../guest/containers/subnets.ts";
import { scaleSchema } from "../guest/settings.ts";
import { roles } from "../serving/access/roles.ts";
import { aiEngineSettings } from "../serving/aiengine/settings.ts";
import { type ServingSettings, servingSettings } from "../serving/config.ts";
import { accuracySchema, gateSettingsSchema } from "./gate-settings.ts";
import { nearest } from "./nearest.ts";
import { strayKeys } from "./stray-keys.ts";

const name = z.string().trim().min(1, "must not be empty");

const cidr = z.string().refine(isCidr, "must be an IPv4 range like 10.20.0.0/24");

/** Ports of a host that are taken: the frontend listens on all addresses. */
const portOwners: Record<number, string> = { 22: "SSH's", 6379: "the job queue's" };

const modelSchema = z.strictObject({
  name: name.regex(/^[a-z0-9][a-z0-9-]*$/, "must be lower-case letters, digits and dashes"),
  directory: name.describe("Folder of the model, from the project's root"),
});

/** Names of tokens that Slipway makes for itself. */
const ownTokens = ["slipway", "gate"];

const tokenName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must be letters, digits, dots and dashes")
  .refine((given) => !ownTokens.includes(given), "is a name that Slipway uses itself");

/** A role alone, or with when the token expires. */
const tokenSchema = z.preprocess(
  (value) => (typeof value === "string" ? { role: value } : value),
  z.strictObject({ role: z.enum(roles), expires: z.iso.datetime({ offset: true }).optional() }),
);

const aiEngineSchema = aiEngineSettings
  .extend({
    cidr: cidr.describe("From where databases are let in"),
    cert: name.describe("PEM file of the server's certificate, from the project's root"),
    key: name.describe("PEM file of its key, which goes to the hosts over SSH alone"),
    ca: name.describe("PEM file of the authorities whose clients are let in"),
  })
  .strict();

/** Types of keys that OpenSSH signs logins with, see sshd(8), AUTHORIZED_KEYS FILE FORMAT. */
const keyTypes =
  /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com)$/;

const gitSchema = z.strictObject({
  branch: z
    .string()
    .regex(/^(?![/.-])(?!.*(\.\.|\/\/|\.lock$))[A-Za-z0-9._/-]{1,100}(?<![/.])$/, "must be the name of a branch")
    .default("main")
    .describe("The one that is released when it is pushed"),
  directory: z
    .string()
    .regex(
      /^(?![/-])(?!(.*\/)?\.\.(\/|$))[A-Za-z0-9._/ -]{1,200}(?<!\/)$/,
      "must be a folder in the repository, like models/risk",
    )
    .default(".")
    .describe("Folder of the model in the repository"),
  keys: z
    .array(z.string().refine(isPublicKey, "must be a public key as ssh-keygen writes it, ssh-ed25519 AAAA… name"))
    .min(1)
    .describe("Public keys of those who may push"),
});

const stackSchema = z.strictObject({
  topology: z.enum(["server"]).default("server").describe("What the stack is made of"),
  image: name.describe("Name of the hosts' image, exactly one in the cloud"),
  imageId: name.optional().describe("Its id, where the name alone does not say which; it is not looked up then"),
  flavor: name.describe("Name of the hosts' flavor"),
  externalNetwork: name.describe("Name of the network that floating IPs come from"),
  network: name.optional().describe("Name of the stack's own network; <project>-<stack> unless given"),
  cidr: cidr.default("10.20.0.0/24").describe("Range of the stack's own network"),
  sshCidr: cidr.describe("From where SSH is let in"),
  sshUser: name.default("debian").describe("Login name that the image's cloud-init makes"),
  sshJumpHost: z
    .string()
    .regex(/^[^@\s]+@[^@\s:]+(:\d{1,5})?$/, "must be like user@host or user@host:port")
    .optional()
    .describe("Host in between, from which the stack's own network is reached"),
  sshIdentityFile: name.optional().describe("Private key for the jump host, beside Slipway's own and the agent's"),
  source: z
    .enum(["swift", "push"])
    .optional()
    .describe("How releases reach hosts; the object store where the cloud has one, unless given"),
  frontendPort: z.coerce.number().int().min(1).max(65535).default(5100).describe("TCP port of the HTTP frontend"),
  generation: z.coerce.number().int().min(1).default(1).describe("Number of the hosts behind the floating IP"),
  model: modelSchema.describe("What is served first"),
  gate: gateSettingsSchema.optional().describe("What a release must pass before and after it takes over"),
  tokens: z
    .record(tokenName, tokenSchema)
    .optional()
    .describe(
      "Who may ask, by a token's name its role: read, predict, deploy or admin; everybody may predict without it",
    ),
  git: gitSchema
    .optional()
    .describe(
      "A repository on the host whose pushes are released: branch, directory and the public keys of who may push",
    ),
  aiengine: aiEngineSchema
    .optional()
    .describe("The listener for openGauss: cidr, cert, key, ca and keys of serving.json"),
  scale: scaleSchema.strict().optional().describe("How many workers and runtimes a host runs"),
  containers: containersSchema.strict().optional().describe("Run the services in containers: mtu, addressPool"),
  serving: servingSettings.optional().describe("Keys of serving.json: limits, models, trainers, grpc and others"),
});

/**
 * A stack's configuration: the keys below the project's name in Pulumi.<stack>.yaml. `serving` is as it was written, without defaults:
 * those are the payload's.
 */
export type StackConfig = Omit<z.infer<typeof stackSchema>, "serving"> & { serving?: ServingSettings };

/** The name of a setting. */
export type Setting = keyof typeof stackSchema.shape;

/** Every setting with what it is for. */
export const settingNotes = Object.fromEntries(
  Object.entries(stackSchema.shape).map(([setting, schema]) => [setting, schema.description ?? ""]),
) as Record<Setting, string>;

/** What is wrong with a setting's value; undefined for a good one. */
export function settingProblem(setting: Setting, value: unknown): string | undefined {
  return stackSchema.shape[setting].safeParse(value).error?.issues[0]?.message;
}

/**
 * Reads a stack's configuration.
 * @param config `namespace:key` → text, or nested values as YAML has them
 * @throws SlipwayError E_CONFIG_INVALID with everything that is wrong
 */
export function loadStackConfig(project: string, config: Record<string, unknown>): StackConfig {
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (key.startsWith(`${project}:`)) own[key.slice(project.length + 1)] = structured(value);
  }
  const parsed = stackSchema.safeParse(own);
  if (!parsed.success) throw invalid(parsed.error.issues.flatMap((issue) => linesOf(project, issue)));
  const { serving: read, ...rest } = parsed.data;
  const stray = strayKeys(own.serving, read).map((path) => `${project}:serving.${path} is not a setting`);
  if (stray.length > 0) throw invalid(stray);
  refuseTakenPorts(project, {
    frontendPort: rest.frontendPort,
    "serving.grpc.port": read?.grpc?.port,
    "aiengine.port": rest.aiengine?.port,
  });
  const contradictions = contradictionsIn({ ...rest, serving: read });
  if (contradictions.length > 0) throw invalid(contradictions.map((line) => `${project}:${line}`));
  return read === undefined ? rest : { ...rest, serving: own.serving as ServingSettings };
}

/** Settings that are good alone, and not together. */
function contradictionsIn({ scale, containers, cidr, serving }: z.infer<typeof stackSchema>): string[] {
  const lines: string[] = [];
  if (scale?.runtime !== undefined && serving?.runtimes !== undefined) {
    lines.push("scale.runtime and serving.runtimes both say how many runtimes there are");
  }
  if (containers === undefined) return lines;
  if (overlap(containers.addressPool, cidr)) {
    lines.push(`containers.addressPool ${containers.addressPool} has addresses of the stack's own network ${cidr}`);
  }
  if (serving?.runtimes?.some(({ device }) => device === "cuda")) {
    lines.push("serving.runtimes.device cuda does not go with containers, which see no GPU");
  }
  if (Object.keys(serving?.trainers ?? {}).length > 0) {
    lines.push("serving.trainers does not go with containers, in whose image no command of the host is");
  }
  return lines;
}

/** Each listener needs a port of its own. */
function refuseTakenPorts(project: string, ports: Record<string, number | undefined>): void {
  const owners = { ...portOwners };
  for (const [setting, port] of Object.entries(ports)) {
    if (port === undefined) continue;
    const owner = owners[port];
    if (owner !== undefined) {
      throw new SlipwayError("E_CONFIG_INVALID", `${project}:${setting} ${port} is ${owner}`, {
        hint: "Choose another port.",
      });
    }
    owners[port] = `${setting}'s`;
  }
}

/** Pulumi gives nested values to programs as JSON text. */
function structured(value: unknown): unknown {
  if (typeof value !== "string" || !value.startsWith("{")) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value; // not JSON after all: the schema says what is wrong with the text
  }
}

function invalid(lines: string[]): SlipwayError {
  const [first = "the configuration is not valid", ...rest] = lines;
  return new SlipwayError("E_CONFIG_INVALID", first, {
    hint: "Correct the stack's file, Pulumi.<stack>.yaml in the folder stacks.",
    details: rest,
  });
}

function linesOf(project: string, issue: z.core.$ZodIssue): string[] {
  const path = `${project}:${issue.path.join(".")}`;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownKey(`${project}:${[...issue.path, key].join(".")}`, key, issue.path));
  }
  if (issue.code === "invalid_type" && issue.input === undefined) return [`${path} is missing`];
  if (issue.code === "invalid_key") return issue.issues.map(({ message }) => `${path} ${message}`);
  return [`${path} ${issue.message.replace(/^Invalid (input|option): expected/, "must be")}`];
}

function unknownKey(path: string, key: string, parent: PropertyKey[]): string {
  const known = knownKeys(parent);
  if (known === undefined) return `${path} is not a setting`;
  const meant = nearest(key, known);
  return `${path} is not a setting${meant === undefined ? `; the settings are ${known.join(", ")}` : `; did you mean ${meant}?`}`;
}

function knownKeys([setting, inner]: PropertyKey[]): string[] | undefined {
  if (setting === "gate") return Object.keys((inner === "accuracy" ? accuracySchema : gateSettingsSchema).shape);
  if (setting === undefined) return Object.keys(stackSchema.shape);
  if (setting === "containers") return Object.keys(containersSchema.shape);
  if (setting === "scale") return Object.keys(scaleSchema.shape);
  if (setting === "git") return Object.keys(gitSchema.shape);
  if (setting === "aiengine") return Object.keys(aiEngineSchema.shape);
  return setting === "model" ? Object.keys(modelSchema.shape) : undefined;
}

/** True for a line of OpenSSH's with a key of the type that it says, and no options. */
function isPublicKey(line: string): boolean {
  const [type = "", base64 = ""] = line.split(" ");
  if (!keyTypes.test(type) || !/^[A-Za-z0-9+/]+=*$/.test(base64) || /[\r\n]/.test(line)) return false;
  const blob = Buffer.from(base64, "base64");
  // the key begins with its type, a string of that length (RFC 4253, 6.6)
  return blob.length > 4 && blob.subarray(4, 4 + blob.readUInt32BE(0)).toString("latin1") === type;
}

/** True for an IPv4 range whose address has no bits beyond its prefix. */
function isCidr(text: string): boolean {
  const [address = "", length = "", ...rest] = text.split("/");
  if (isIP(address) !== 4 || rest.length > 0 || !/^\d{1,2}$/.test(length) || Number(length) > 32) return false;
  if (Number(length) === 0) return address === "0.0.0.0";
  const range = new BlockList();
  range.addSubnet(address, Number(length), "ipv4");
  const before = previousAddress(address);
  return before === undefined || !range.check(before, "ipv4");
}

/** The address before this one: outside of the range exactly when this one is the range's first. */
function previousAddress(address: string): string | undefined {
  const number = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) - 1;
  if (number < 0) return undefined;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
