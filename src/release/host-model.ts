import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import type { Digest } from "../common/digest.ts";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { quoteForShell } from "../contextualization/helpers.ts";
import { guestPaths } from "../guest/paths.ts";
import { RemoteCommandError } from "../remote/command.ts";
import type { SshConnection } from "../remote/connection.ts";
import { modelFolder } from "../serving/models/registry-file.ts";
import { repack } from "../serving/models/shelf.ts";

/** What is fetched into memory has an end. */
const MOST_BYTES = 2 ** 30;
/** The slowest link that is waited for brings the largest package in about six hours; most take a moment. */
const FETCH_MS = 6 * 3_600_000;

/**
 * Fetches a model's package from the host that has it, one that was trained there for example, and packs it as it was packed at first: what is
 * not what its digest says is refused.
 * @throws SlipwayError E_PAYLOAD_MISSING where the host has no such model, E_MODEL_INVALID for another one's content; E_SSH, E_TIMEOUT
 */
export async function fetchHostModel(
  connection: SshConnection,
  digest: Digest,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      chunks.push(chunk);
      done(size > MOST_BYTES ? new Error(`it is larger than ${MOST_BYTES} bytes`) : null);
    },
  });
  const script = `cd ${modelFolder(guestPaths("").models, digest)} && tar -cf - -- *`;
  await connection
    .run(`sudo -n sh -c ${quoteForShell(script)}`, { output, timeoutMs: FETCH_MS, signal })
    .catch((error: unknown) => {
      if (!(error instanceof RemoteCommandError)) throw error;
      throw new SlipwayError("E_PAYLOAD_MISSING", `the host does not give the model ${digest}: ${messageOf(error)}`, {
        hint: "It may be a release that has gone since: run the command again.",
        cause: error,
      });
    });
  const scratch = await mkdtemp(join(tmpdir(), "slipway-fetched-"));
  try {
    const packed = await repack(Buffer.concat(chunks), scratch);
    if (packed.digest === digest) return packed.bytes;
    throw new SlipwayError("E_MODEL_INVALID", `the host's model ${digest} has the digest ${packed.digest}`, {
      hint: "Somebody has changed it on the host: train or release it again.",
    });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
