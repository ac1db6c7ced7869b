import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { judgeCertificates, type TlsTexts } from "./certificates.ts";
import type { AiEngineConfig } from "./settings.ts";

type Paths = Pick<AiEngineConfig, "cert" | "key" | "ca">;

const LOOK_MS = 1000;
const REMIND_MS = 24 * 3600 * 1000;

/**
 * The texts of the certificate files, warnings logged.
 * @throws SlipwayError E_CONFIG_INVALID for files that cannot be read or used
 */
export async function readTlsFiles(paths: Paths, log: Pick<Logger, "warn">): Promise<TlsTexts> {
  let texts: TlsTexts;
  try {
    const [cert, key, ca] = await Promise.all([paths.cert, paths.key, paths.ca].map((path) => readFile(path, "utf8")));
    texts = { cert, key, ca } as TlsTexts;
  } catch (cause) {
    throw new SlipwayError("E_CONFIG_INVALID", `aiengine: ${messageOf(cause)}`, { cause });
  }
  const { refusals, warnings } = judgeCertificates(texts);
  if (refusals.length > 0) {
    throw new SlipwayError("E_CONFIG_INVALID", `aiengine: ${paths.cert} cannot be used: ${refusals.join("; ")}`, {
      hint: "Have a certificate issued with subjectAltName, by an authority that lives longer than it.",
    });
  }
  for (const reason of warnings) log.warn({ cert: paths.cert, reason }, "AIEngine's certificates");
  return texts;
}

/**
 * Looks at the files every second, by their content, and tells of new ones that can be used; those that cannot change nothing. Every day
 * it warns anew of what ends soon.
 * @returns ends the watch
 */
export function watchTlsFiles(
  paths: Paths,
  first: TlsTexts,
  log: Pick<Logger, "info" | "warn" | "error">,
  onChange: (texts: TlsTexts) => void,
): () => void {
  let known = JSON.stringify(first);
  let problem: string | undefined;
  const quiet = { warn: () => undefined };
  const look = async () => {
    // warnings are for what is taken
    const texts = await readTlsFiles(paths, quiet);
    problem = undefined;
    if (JSON.stringify(texts) === known) return;
    onChange(texts);
    known = JSON.stringify(texts);
    log.info({ cert: paths.cert }, "certificates read again");
    warn(texts);
  };
  const warn = (texts: TlsTexts) => {
    const { refusals, warnings } = judgeCertificates(texts);
    for (const reason of [...refusals, ...warnings]) log.warn({ cert: paths.cert, reason }, "AIEngine's certificates");
  };
  let looking = false;
  const looks = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => {
        if (messageOf(error) !== problem) log.error({ reason: messageOf(error) }, "the certificates stay as they were");
        problem = messageOf(error);
      })
      .finally(() => {
        looking = false;
      });
  }, LOOK_MS).unref();
  const reminders = setInterval(() => warn(JSON.parse(known) as TlsTexts), REMIND_MS).unref();
  return () => {
    clearInterval(looks);
    clearInterval(reminders);
  };
}
