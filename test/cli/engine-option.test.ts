import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { findInstallation } from "../../src/engine/official/find.ts";
import { PaperProject } from "./paper-project.ts";

vi.setConfig({ testTimeout: 90_000 });

const { missing } = await findInstallation([{ name: "openstack", version: "3.15.2" }]);
const official = { SLIPWAY_ENGINE: "official" };

describe("--engine", () => {
  let project: PaperProject;
  beforeAll(async () => {
    project = await PaperProject.create();
  });
  afterAll(() => project?.remove());

  it("refuses an engine that is not installed, with what is missing and the way out", async () => {
    const { exitCode, result } = await project.run(["preview", "production", "--engine", "official"], {
      env: { PATH: "/usr/bin:/bin", PULUMI_HOME: "/nowhere" },
    });
    expect(exitCode).toBe(3);
    expect(result).toMatchObject({
      error: { code: "E_ENGINE_MISSING", details: [expect.stringContaining("Install")] },
    });
  });

  it("says which engine works, and why", async () => {
    const { lines } = await project.run(["preview", "production", "--engine", "embedded"]);
    expect(lines).toContainEqual(expect.objectContaining({ type: "note", text: "engine embedded: as asked" }));
  });

  it.skipIf(missing.length > 0)("has the official engine fail as the embedded one does", async () => {
    const { exitCode, lines, result } = await project.run(["preview", "production"], { env: official });
    expect(lines).toContainEqual(expect.objectContaining({ type: "note", text: "engine official: as asked" }));
    expect(exitCode).toBe(3);
    expect(result).toMatchObject({
      error: { code: "E_PAYLOAD_MISSING", message: "nothing is published for stack production" },
    });
  });
});
