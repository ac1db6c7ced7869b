import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../src/common/process.ts";
import { TestCloud } from "../cloud/support.ts";
import { ensurePythonEnvironment } from "./python-environment.ts";

const requirement = "python-swiftclient==4.11.0";
const client = await ensurePythonEnvironment(requirement, [requirement]);
const skipped = "reason" in client ? ` (skipped: ${client.reason})` : "";

describe.skipIf("reason" in client)(`python-swiftclient, unmodified${skipped}`, { timeout: 120_000 }, () => {
  let cloud: TestCloud;
  let folder: string;
  beforeAll(async () => {
    cloud = await TestCloud.start();
    folder = await mkdtemp(join(tmpdir(), "slipway-swiftclient-"));
    await writeFile(join(folder, "file"), "0123456789");
  });
  afterAll(async () => {
    await cloud?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs `swift ARGUMENTS…`, which must succeed; what it prints. */
  const swift = async (...commandLine: string[]): Promise<string> => {
    const python = "python" in client ? client.python : "";
    const url = `${cloud.base}/object-store/v1/AUTH_${cloud.projectId}`;
    const env = { PATH: process.env.PATH ?? "", OS_STORAGE_URL: url, OS_AUTH_TOKEN: cloud.token };
    return (await run(python, ["-m", "swiftclient.shell", ...commandLine], { cwd: folder, env })).stdout;
  };

  it("uploads in segments of either kind, lists, tells, downloads and deletes", async () => {
    expect(await swift("capabilities", `${cloud.base}/object-store/info`)).toContain("slo");
    for (const kind of ["--use-slo", "--use-dlo"]) {
      await swift("upload", "box", "file", "--segment-size", "4", kind, "--object-name", `large${kind}`);
      const told = await swift("stat", "box", `large${kind}`);
      expect(told).toContain("Content Length: 10");
      await swift("download", "box", `large${kind}`, "-o", `saved${kind}`);
      expect(await readFile(join(folder, `saved${kind}`), "utf8")).toBe("0123456789");
    }
    expect(await swift("list")).toBe("box\nbox_segments\n");
    expect((await swift("list", "box_segments")).trim().split("\n")).toHaveLength(6);
    await swift("post", "box", "-m", "Temp-URL-Key:k", "-r", ".r:*");
    expect(await swift("stat", "box")).toContain("Read ACL: .r:*");
    const path = `/v1/AUTH_${cloud.projectId}/box/large--use-slo`;
    const query = (await swift("tempurl", "GET", "60", path, "k")).trim();
    // the segments are in another container, which a container's key does not open
    expect((await cloud.get(`/object-store${query}`, { token: "" })).status).toBe(409);
    await swift("delete", "box", "large--use-slo");
    await swift("delete", "box", "large--use-dlo");
    expect(await swift("list", "box_segments")).toBe("");
    await swift("delete", "box");
    expect(await swift("list")).toBe("box_segments\n");
  });
});
