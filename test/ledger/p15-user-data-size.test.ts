import { randomBytes } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { renderHostUserData } from "../../src/contextualization/render.ts";
import { PaperProject } from "../cli/paper-project.ts";
import { hostContext } from "../contextualization/context.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// P15: user-data beyond the limit. Measure at render what Nova will measure, with the biggest parts; a smaller limit is told in its words.
vi.setConfig({ testTimeout: 120_000 });

describe("user-data", () => {
  it("that is larger than Nova takes is refused at render, with the biggest parts", () => {
    const folder = temporaryFolder();
    cpSync(join(import.meta.dirname, "../../cloud-init"), folder, { recursive: true });
    const worker = join(folder, "worker.yaml.hbs");
    const noise = randomBytes(60_000).toString("hex");
    writeFileSync(worker, `${readFileSync(worker, "utf8")}  - path: /opt/noise\n    content: ${noise}\n`);
    expect(() => renderHostUserData(hostContext, folder)).toThrow(
      expect.objectContaining({
        code: "E_USERDATA_TOO_LARGE",
        exitCode: 2,
        message: expect.stringContaining("Nova accepts 65535"),
        details: [
          expect.stringMatching(/^cloud-init\/worker\.yaml\.hbs: 12\d{4} bytes/),
          ...Array(4).fill(expect.any(String)),
        ],
      }),
    );
  });

  it("that a cloud's proxy does not take ends `up` with its 413; nothing of the stack is left after `down`", async () => {
    const project = await PaperProject.create();
    onTestFinished(() => project.remove());
    project.cloud.faults.arm("P15");
    const { exitCode, result } = await project.run(["up"]);
    expect(exitCode).toBe(4);
    expect(result.error).toMatchObject({
      code: "E_UPDATE_FAILED",
      message: expect.stringMatching(
        /server-g1: .* answered 413: .*Request is too large\. Larger than max_request_body_size/,
      ),
      requestId: expect.stringMatching(/^req-/),
    });
    expect(project.cloud.faults.list()).toMatchObject([{ id: "P15:userdata-413", firings: [{}] }]);
    expect((await project.run(["down", "--yes"])).result).toMatchObject({ ok: true, leftovers: [] });
    expect(await project.resourcesOf("production")).toEqual([]);
  });
});
