import { SlipwayError } from "../common/errors.ts";
import { quoteForShell } from "../contextualization/helpers.ts";
import { keyFileName } from "../guest/certificates.ts";
import { RemoteCommandError } from "../remote/command.ts";
import type { SshConnection } from "../remote/connection.ts";

/** As the host's `paths.keys`. */
const FOLDER = "/var/lib/slipway/keys";

/**
 * Leaves a certificate's private key in a host, readable by root alone. It goes over the connection's own stream: never an argument,
 * never a file elsewhere.
 * @throws SlipwayError E_SSH, E_TIMEOUT; E_BOOTSTRAP_FAILED with the host's words
 */
export async function bringKey(
  connection: SshConnection,
  { cert, key }: { cert: string; key: string },
  signal: AbortSignal,
): Promise<void> {
  const file = quoteForShell(`${FOLDER}/${keyFileName(cert)}`);
  const script = `umask 077 && mkdir -p ${FOLDER} && cat > ${file}.part && sync ${file}.part && mv ${file}.part ${file}`;
  try {
    await connection.run(`sudo -n sh -c ${quoteForShell(script)}`, { input: key, signal });
  } catch (error) {
    if (!(error instanceof RemoteCommandError)) throw error;
    throw new SlipwayError(
      "E_BOOTSTRAP_FAILED",
      `the key of AIEngine's certificate cannot be brought: ${error.message}`,
      {
        hint: "Mend what the host names and run `slipway up` again.",
        cause: error,
      },
    );
  }
}
