import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../src/common/process.ts";
import { waitFor } from "../../../src/common/wait.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { addModel, fixtureModel } from "../../serving/inference/in-process.ts";
import { type Host, prepareHost, startServing, type TestProcess, untilReady } from "../../serving/support.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { connectTo, freePort } from "../../support/tcp.ts";
import { ensurePythonEnvironment } from "../python-environment.ts";

// Other people's clients of the Open Inference Protocol, unmodified, against a host of two frontend processes; numpy says what is right.

const requirements = ["tritonclient[http,grpc]==2.73.0", "kserve==0.21.0"];
const clients = await ensurePythonEnvironment("tritonclient-2.73.0-kserve-0.21.0", requirements);
const skipped = "reason" in clients ? ` (skipped: ${clients.reason})` : "";

const checks = {
  "triton.py": [
    "health",
    "metadata",
    "configuration",
    "http_json",
    "http_binary",
    "http_packed",
    "http_async",
    "classification",
    "rows",
    "as_many_rows_as_are_taken",
    "no_rows",
    "grpc_infer",
    "grpc_packed",
    "grpc_async",
    "grpc_stream",
    "grpc_timeout",
    "errors",
    "repository",
    "statistics",
  ],
  "tls_clients.py": ["http", "grpc"],
  "kserve_clients.py": ["health", "rest_json", "rest_binary", "grpc_bytes", "grpc_contents", "errors"],
};

describe.skipIf("reason" in clients)(`published inference clients${skipped}`, { timeout: 120_000 }, () => {
  const deployer = newToken("deployer", "deploy");
  const predictor = newToken("predictor", "predict");
  const running: TestProcess[] = [];
  let folder: string;
  let host: Host;
  let grpcPort: number;
  /** What the same host's frontend over TLS listens on: HTTP, gRPC. */
  let secured: [number, number];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-clients-"));
    const tokensFile = join(folder, "tokens.json");
    await writeFile(tokensFile, JSON.stringify({ tokens: [deployer.entry, predictor.entry] }));
    grpcPort = await freePort();
    const frontend = { host: "127.0.0.1", port: await freePort(), processes: 2, tokensFile };
    host = await prepareHost(folder, { frontend, grpc: { port: grpcPort } });
    await addModel(host.modelsDir, "every", "1", await fixtureModel("every"));
    await addModel(host.modelsDir, "affine", "1", await fixtureModel("affine"));
    await addModel(host.modelsDir, "affine", "2", await fixtureModel("affine-2"), "known");
    await addModel(host.modelsDir, "product", "1", await fixtureModel("product"));
    running.push(startServing("frontend", host), startServing("runtime", host));
    secured = [await freePort(), await freePort()];
    makeCertificates(folder);
    const tls = { cert: join(folder, "server.pem"), key: join(folder, "server.key") };
    await mkdir(join(folder, "tls"));
    const overTls = await prepareHost(join(folder, "tls"), {
      ...host.config,
      frontend: { host: "127.0.0.1", port: secured[0], processes: 1, tokensFile, tls },
      grpc: { port: secured[1] },
    });
    running.push(startServing("frontend", overTls));
    await untilReady(host);
    const listens = async () => (await connectTo("127.0.0.1", secured[1])) === "connected" || undefined;
    await waitFor("the frontend over TLS", listens, { timeoutMs: 20_000 });
  });
  afterAll(async () => {
    await Promise.all(running.map((process) => process.end("SIGKILL")));
    await rm(folder, { recursive: true, force: true });
  });

  describe.each(Object.entries(checks))("%s", (script, names) => {
    const outcomes = new Map<string, string | null>();

    beforeAll(async () => {
      const path = fileURLToPath(new URL(script, import.meta.url));
      const ports = script === "tls_clients.py" ? secured : [host.config.frontend.port, grpcPort];
      const addresses = ports.map((port) => `127.0.0.1:${port}`);
      const python = "python" in clients ? clients.python : "";
      const { stdout } = await run(
        python,
        ["-B", path, ...addresses, deployer.token, predictor.token, join(folder, "ca.pem")],
        {
          timeoutMs: 100_000,
        },
      );
      for (const line of stdout.trim().split("\n")) {
        const { name, problem } = JSON.parse(line) as { name: string; problem: string | null };
        outcomes.set(name, problem);
      }
    }, 110_000);

    it("makes these checks and no others", () => {
      expect([...outcomes.keys()]).toEqual(names);
    });

    it.each(names)("%s", (name) => {
      expect(outcomes.get(name)).toBe(null);
    });
  });
});
