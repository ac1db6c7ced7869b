import { createPublicKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { JournalEntry } from "../../src/guest/journal.ts";
import { type Manifest, openManifest } from "../../src/guest/manifest.ts";
import type { ReleaseReport } from "../../src/guest/release-progress.ts";
import { unpackAs } from "../../src/guest/source.ts";
import { decide, takesRows } from "../../src/serving/models/card.ts";
import { loadPackage, type ServableModel } from "../../src/serving/models/verify.ts";
import { floatRows, numbersIn } from "../../src/serving/tensors/raw-tensor.ts";

const POLL_MS = 50;

/** Where a stack's host finds its release: `publication.json`. */
interface Publication {
  sourceUrl: string;
  publicKey: string;
}

/**
 * A host as the control side sees one — the endpoint's routes, the journal on its console — that serves published models for real and is
 * no guest: for what the verbs do with it. It follows the manifest that the stack has published and takes or refuses it as a test says.
 */
export class PlayedHost {
  /** Why a release is refused; undefined for one that is taken. */
  refuses: (manifest: Manifest) => string | undefined = () => undefined;
  /** Whether it knows `GET /v1/release`; the console tells in any case. */
  tellsReleases = true;
  readonly journal: JournalEntry[] = [];
  readonly reports: ReleaseReport[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "slipway-played-host-"));
  readonly #servers: Server[] = [];
  readonly #ended = new AbortController();
  #following: Promise<void> = Promise.resolve();
  #serving: { manifest: Manifest; model: ServableModel } | undefined;

  /** @param prefix of the addresses that it answers at, e.g. `127.88.3.`: those of the cloud's external range */
  static async start(prefix: string): Promise<PlayedHost> {
    const host = new PlayedHost();
    let port = 0;
    for (let last = 1; last < 15; last++) {
      const server = createServer((request, response) => void host.#answer(request, response));
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, `${prefix}${last}`, resolve);
      });
      port = (server.address() as AddressInfo).port;
      host.#servers.push(server);
    }
    return host;
  }

  get port(): number {
    const [server] = this.#servers;
    if (server === undefined) throw new Error("it does not listen");
    return (server.address() as AddressInfo).port;
  }

  /** What serves. */
  manifest(): Manifest {
    if (this.#serving === undefined) throw new Error("it serves nothing");
    return this.#serving.manifest;
  }

  /** Follows what is published from now on, as soon as something is. */
  follow(publication: () => Promise<Publication | undefined>): void {
    this.#following = this.#follow(publication);
  }

  async stop(): Promise<void> {
    this.#ended.abort();
    await this.#following;
    await this.#serving?.model.close();
    rmSync(this.#folder, { recursive: true, force: true });
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  async #follow(publication: () => Promise<Publication | undefined>): Promise<void> {
    let sequence = 0;
    while (!this.#ended.signal.aborted) {
      await sleep(POLL_MS);
      const found = await publication();
      if (found === undefined) continue;
      const answer = await fetch(`${found.sourceUrl}/manifest`).catch(() => undefined);
      if (answer?.status !== 200) continue;
      const key = createPublicKey({ key: Buffer.from(found.publicKey, "base64"), format: "der", type: "spki" });
      const manifest = openManifest(await answer.text(), key);
      if (manifest.sequence <= sequence) continue;
      sequence = manifest.sequence;
      await this.#release(manifest, found.sourceUrl);
    }
  }

  async #release(manifest: Manifest, sourceUrl: string): Promise<void> {
    const [wanted] = manifest.models;
    if (wanted === undefined) throw new Error("a manifest without a model");
    const at = new Date().toISOString();
    const { sequence, origin, payload, trial } = manifest;
    const report: ReleaseReport = {
      ...{
        sequence,
        payload: payload.digest,
        model: named(wanted),
        result: "underway",
        phase: "load",
        figures: {},
        ms: {},
      },
      ...(origin === undefined ? {} : { origin }),
      ...(trial === undefined ? {} : { trial: { model: named(trial.model), traffic: trial.traffic } }),
      began: at,
    };
    this.reports.push(report);
    const reason = this.refuses(manifest);
    const before = this.#serving;
    if (reason !== undefined) {
      const served = before?.manifest.models[0];
      const failure = { phase: "gate" as const, reason, lines: ["a line of the host"] };
      Object.assign(report, { phase: "gate", failure, result: served === undefined ? "broken" : "kept" });
      const step = { step: "gate", reason, lines: failure.lines };
      this.journal.push({
        ...{ type: "verdict", at, sequence, ok: false, failure: step, ms: 1 },
        ...(served === undefined ? {} : { model: named(served) }),
      });
      return;
    }
    const folder = join(this.#folder, String(sequence));
    await unpackAs(folder, wanted.path, 60_000, async (archive) => {
      await writeFile(archive, Buffer.from(await (await fetch(`${sourceUrl}/${wanted.path}`)).arrayBuffer()));
    });
    this.#serving = { manifest, model: await loadPackage(folder) };
    await before?.model.close();
    Object.assign(report, { phase: "settle", result: "passed", ms: { load: 1, settle: 1 }, figures: { failed: 0 } });
    this.journal.push({ type: "verdict", at, sequence, ok: true, model: named(wanted), outputs: [], ms: 1 });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const { url } = request;
    const serving = this.#serving;
    if (serving === undefined) return reply(503, {});
    const { manifest, model } = serving;
    const [served] = manifest.models;
    const last = this.reports.at(-1);
    if (url === "/v2/health/live" || url === "/v2/health/ready") return reply(200, {});
    if (url === "/version") return reply(200, { payload: manifest.payload.digest, model: served && named(served) });
    if (url === "/v1/predict") {
      const { rows } = JSON.parse(await text(request)) as { rows: number[][] };
      const [outputs] = await model.run([floatRows(Float32Array.from(rows.flat()), rows.length)]);
      if (!takesRows(model.card) || outputs === undefined) return reply(500, {});
      return reply(200, { predictions: decide(model.card.rows.output, numbersIn(outputs) as Float32Array) });
    }
    if (!this.tellsReleases || served === undefined || last === undefined) return reply(404, {});
    if (url === "/v1/release/look") return reply(202, { looks: true });
    if (url === "/v1/releases") return reply(200, { releases: this.reports });
    if (url !== "/v1/release") return reply(404, {});
    const serves = { sequence: manifest.sequence, payload: manifest.payload.digest, model: named(served) };
    return reply(200, { schemaVersion: 1, serves, last });
  }
}

function named({ name, version, digest }: Manifest["models"][number]) {
  return { name, version, digest };
}
