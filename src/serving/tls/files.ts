import { isDeepStrictEqual } from "node:util";
import type { Logger } from "pino";
import { messageOf, SlipwayError } from "../../common/errors.ts";
import { readSettingFile } from "../runtime/identity.ts";
import { judgeCertificates, type TlsTexts } from "./certificates.ts";
import type { ServerTls } from "./settings.ts";

const LOOK_MS = 1000;
const REMIND_MS = 24 * 3600 * 1000;

/** A server's certificates as they are now, read again when their files change. */
export interface ServerCertificates {
  /** What is to be used now. */
  readonly texts: TlsTexts;
  /** Tells of new ones. */
  follow(onChange: (texts: TlsTexts) => void): void;
  /** Ends the looking. */
  close(): void;
}

/**
 * Reads the files, and looks at them every second, by their content: new ones that can be used are told, those that cannot change nothing.
 * Warns of what ends soon, and every day anew.
 * @param setting the key of serving.json that names the files
 * @throws SlipwayError E_CONFIG_INVALID for files that cannot be read or used at the start
 */
export async function openCertificates(
  paths: ServerTls,
  setting: string,
  log: Pick<Logger, "info" | "warn" | "error">,
): Promise<ServerCertificates> {
  const { cert } = paths;
  const followers: ((texts: TlsTexts) => void)[] = [];
  let texts = await readTlsFiles(paths, setting);
  const warn = () => {
    const { refusals, warnings } = judgeCertificates(texts);
    for (const reason of [...refusals, ...warnings]) log.warn({ setting, cert, reason }, "certificates");
  };
  warn();
  const look = async () => {
    const found = await readTlsFiles(paths, setting);
    problem = undefined;
    if (isDeepStrictEqual(found, texts)) return;
    for (const follower of followers) follower(found);
    texts = found;
    log.info({ setting, cert }, "certificates read again");
    warn();
  };
  let problem: string | undefined;
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
  const reminders = setInterval(warn, REMIND_MS).unref();
  return {
    get texts() {
      return texts;
    },
    follow: (onChange) => void followers.push(onChange),
    close: () => {
      clearInterval(looks);
      clearInterval(reminders);
    },
  };
}

async function readTlsFiles(paths: ServerTls, setting: string): Promise<TlsTexts> {
  const read = (path: string) => readSettingFile(path, setting);
  const [cert, key, ca] = await Promise.all([
    read(paths.cert),
    read(paths.key),
    paths.ca === undefined ? undefined : read(paths.ca),
  ]);
  const texts: TlsTexts = { cert, key, ca };
  const { refusals } = judgeCertificates(texts);
  if (refusals.length === 0) return texts;
  const reason = `serving.json: ${setting}: ${paths.cert} cannot be used: ${refusals.join("; ")}`;
  throw new SlipwayError("E_CONFIG_INVALID", reason, {
    hint: "Have a certificate issued with subjectAltName, by an authority that lives longer than it.",
  });
}
