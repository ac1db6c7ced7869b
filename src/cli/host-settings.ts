import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, SlipwayError } from "../common/errors.ts";
import type { StackConfig } from "../components/config.ts";
import type { GitSettings, HostSettings } from "../guest/settings.ts";
import { refOf, tableFile } from "../release/published-files.ts";
import { ensureStackTokens } from "../release/tokens.ts";
import { judgeCertificates, type TlsTexts } from "../serving/tls/certificates.ts";
import type { LocalStack } from "./workspace.ts";

/**
 * What a stack's configuration tells its hosts by way of the manifest; tokens that it declares are made where there are none.
 * @throws SlipwayError E_CONFIG_INVALID for certificates that cannot be used
 */
export async function hostSettings({
  projectRoot,
  stackHome,
  config,
}: Pick<LocalStack, "projectRoot" | "stackHome" | "config">): Promise<HostSettings> {
  const { serving, aiengine, scale, containers, git } = config;
  const tokens = await ensureStackTokens(stackHome, config.tokens);
  return {
    ...(tokens === undefined ? {} : { tokens }),
    ...(serving === undefined ? {} : { serving: serving as Record<string, unknown> }),
    ...(scale === undefined ? {} : { scale }),
    ...(containers === undefined ? {} : { containers }),
    ...(aiengine === undefined ? {} : { aiengine: await aiEngineOf(projectRoot, aiengine) }),
    ...(git === undefined ? {} : { git: await gitOf(projectRoot, git, config.gate) }),
  };
}

/** With what of the gate a host judges a push by, since nobody else does. */
async function gitOf(
  projectRoot: string,
  git: NonNullable<StackConfig["git"]>,
  { maxMegabytes, accuracy }: Partial<NonNullable<StackConfig["gate"]>> = {},
): Promise<GitSettings> {
  return {
    ...git,
    ...(maxMegabytes !== undefined && { maxMegabytes }),
    ...(accuracy && { accuracy: { ...accuracy, table: refOf(await tableFile(resolve(projectRoot, accuracy.table))) } }),
  };
}

async function aiEngineOf(projectRoot: string, aiengine: NonNullable<StackConfig["aiengine"]>) {
  const { cert, ca } = await readCertificates(projectRoot, aiengine);
  const { cidr: _cidr, cert: _cert, key: _key, ca: _ca, ...settings } = aiengine;
  return { cert, ca, settings };
}

/**
 * The texts of the certificate, its key and its clients' authorities, which fit each other.
 * @throws SlipwayError E_CONFIG_INVALID
 */
export async function readCertificates(
  projectRoot: string,
  { cert, key, ca }: Pick<NonNullable<StackConfig["aiengine"]>, "cert" | "key" | "ca">,
): Promise<Required<TlsTexts>> {
  const [certText, keyText, caText] = await Promise.all([cert, key, ca].map((path) => fileOf(projectRoot, path)));
  const texts = { cert: certText, key: keyText, ca: caText } as TlsTexts & { ca: string };
  const [refusal, ...others] = judgeCertificates(texts).refusals;
  if (refusal === undefined) return texts;
  throw new SlipwayError("E_CONFIG_INVALID", `aiengine: ${cert} cannot be used: ${refusal}`, {
    details: others,
    hint: "Have a certificate issued with subjectAltName, by an authority that lives longer than it.",
  });
}

async function fileOf(projectRoot: string, path: string): Promise<string> {
  try {
    return await readFile(resolve(projectRoot, path), "utf8");
  } catch (cause) {
    throw new SlipwayError("E_CONFIG_INVALID", `aiengine: ${messageOf(cause)}`, {
      cause,
      hint: "Paths of certificates are from the project's root.",
    });
  }
}
