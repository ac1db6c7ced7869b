import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, hexOf } from "../common/digest.ts";
import { ensureText, readTextIfExists } from "../common/files.ts";
import { waitFor } from "../common/wait.ts";
import type { Host } from "./host.ts";
import type { HostSettings } from "./settings.ts";
import { SERVICE_USER } from "./unit-names.ts";

/** `slipway` brings a key as soon as the host lets it in. */
const ARRIVAL_MS = 300_000;

/** The name under which a certificate's private key is brought to a host: that of its public half, so that old and new ones do not meet. */
export function keyFileName(certificate: string): string {
  const { publicKey } = new X509Certificate(certificate);
  return `${hexOf(digestOf(publicKey.export({ type: "spki", format: "der" })))}.pem`;
}

/**
 * Waits for the key of AIEngine's certificate and puts both where the frontend reads them, which looks at them again and again.
 * Throws where the key does not come in time, or is another one.
 */
export async function ensureCertificates(
  { paths, run }: Pick<Host, "paths" | "run">,
  { cert, ca }: NonNullable<HostSettings["aiengine"]>,
  arrivalMs = ARRIVAL_MS,
): Promise<void> {
  const key = await arrivedKey(join(paths.keys, keyFileName(cert)), cert, arrivalMs);
  const files = { [paths.aiengine.key]: key, [paths.aiengine.cert]: cert, [paths.aiengine.ca]: ca };
  for (const [file, text] of Object.entries(files)) {
    await ensureText(file, text, 0o640);
    await chmod(file, 0o640);
  }
  await run("chown", [`root:${SERVICE_USER}`, ...Object.keys(files)]);
}

async function arrivedKey(file: string, certificate: string, timeoutMs: number): Promise<string> {
  const text = await waitFor(
    "the key of AIEngine's certificate, which `slipway up` and `slipway attach` bring",
    () => readTextIfExists(file),
    { timeoutMs, maxIntervalMs: 1000 },
  );
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(text))) {
    throw new Error(`${file} is not the key of AIEngine's certificate`);
  }
  return text;
}
