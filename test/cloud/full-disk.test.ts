import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { DaemonInfo, DaemonMessage } from "../../src/cloud/daemon-info.ts";

const root = join(import.meta.dirname, "../..");
/** A disk that ends with the process that it is for: a mount in a namespace of its own. The daemon ends with this process. */
const script = `mount -t tmpfs -o size=24m tmpfs "$0" && { "$@" & daemon=$!; cat >/dev/null; kill $daemon; wait $daemon; }`;
const canMount = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

describe.runIf(canMount)("a cloud on a disk that gets full", () => {
  let folder: string;
  let stateDir: string;
  let shell: ChildProcess;
  let info: DaemonInfo;
  let token: string;
  let account: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "slipway-full-disk-"));
    stateDir = join(folder, "cloud");
    await mkdir(stateDir);
    const clouds = join(folder, "clouds.yaml");
    const daemon = ["src/cloud/daemon.ts", "--state", stateDir, "--hypervisor", "fake", "--clouds-file", clouds];
    shell = spawn("unshare", ["-rm", "sh", "-c", script, stateDir, process.execPath, ...daemon], {
      cwd: root,
      stdio: ["pipe", "ignore", "inherit", "ipc"],
    });
    const [message] = (await once(shell, "message")) as [DaemonMessage];
    if (message.type === "failed") throw new Error(message.message);
    info = message.info;
    const { auth } = parse(await readFile(clouds, "utf8")).clouds.slipway;
    const user = { name: auth.username, password: auth.password, domain: { name: "Default" } };
    const project = { name: auth.project_name, domain: { name: "Default" } };
    const answer = await fetch(`${info.authUrl}/auth/tokens`, {
      ...{ method: "POST", headers: { "content-type": "application/json" } },
      body: JSON.stringify({
        auth: { identity: { methods: ["password"], password: { user } }, scope: { project } },
      }),
    });
    token = answer.headers.get("x-subject-token") ?? "";
    const body = (await answer.json()) as { token: { project: { id: string } } };
    account = `/object-store/v1/AUTH_${body.token.project.id}`;
  });
  afterAll(async () => {
    shell.stdin?.end();
    await once(shell, "close");
    await rm(folder, { recursive: true, force: true });
  });

  const ask = async (method: string, path: string, body?: string | Uint8Array<ArrayBuffer>) => {
    const answer = await fetch(new URL(path, info.authUrl), {
      method,
      headers: {
        "x-auth-token": token,
        ...(typeof body === "string" ? { "content-type": "application/json" } : {}),
        ...(body instanceof Uint8Array ? { "content-type": "application/octet-stream" } : {}),
      },
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const make = async (path: string, body: unknown) => JSON.parse((await ask("POST", path, JSON.stringify(body))).text);

  it("refuses as the real services do, loses nothing, and goes on once there is room again", async () => {
    const content = new Uint8Array(1024 ** 2).fill(7);
    const image = await make("/image/v2/images", { name: "i", disk_format: "raw", container_format: "bare" });
    expect((await ask("PUT", `${account}/box`)).status).toBe(201);
    const acknowledged: string[] = [];
    let refused: { status: number; text: string } | undefined;
    for (let made = 0; made < 40 && refused === undefined; made++) {
      const answer = await ask("PUT", `${account}/box/object-${made}`, content);
      if (answer.status === 201) acknowledged.push(`object-${made}`);
      else refused = answer;
    }
    expect(refused).toEqual({
      status: 503,
      text: "<html><h1>Service Unavailable</h1><p>The server is currently unavailable. Please try again at a later time.</p></html>",
    });
    const upload = await ask("PUT", `/image/v2/images/${image.id}/file`, new Uint8Array(2 * 1024 ** 2));
    expect(upload.status).toBe(413);
    expect(upload.text).toContain("Image storage media is full");
    expect(JSON.parse((await ask("GET", `/image/v2/images/${image.id}`)).text).status).toBe("queued");

    // not a byte is left, for the database neither
    const ballast = `/proc/${info.pid}/root${join(stateDir, "ballast")}`;
    await fill(ballast);
    const attempts = Array.from({ length: 60 }, (_, index) => `net-${index}-${"x".repeat(200)}`);
    const kept: string[] = [];
    for (const name of attempts) {
      const answer = await ask("POST", "/network/v2.0/networks", JSON.stringify({ network: { name } }));
      if (answer.status === 201) kept.push(name);
      else {
        const message = "Request Failed: internal server error while processing your request.";
        const fault = { NeutronError: { type: "HTTPInternalServerError", message, detail: "" } };
        expect([answer.status, JSON.parse(answer.text)]).toEqual([500, fault]);
      }
    }
    expect(kept.length).toBeLessThan(attempts.length);
    const { flavors } = JSON.parse((await ask("GET", "/compute/v2.1/flavors")).text);
    const { images } = JSON.parse((await ask("GET", "/image/v2/images?name=debian-13")).text);
    const server = { name: "web", flavorRef: flavors[0].id, imageRef: images[0].id };
    const created = await ask("POST", "/compute/v2.1/servers", JSON.stringify({ server }));
    expect([202, 500]).toContain(created.status);
    expect(created.text).not.toMatch(/sqlite|SQLITE|\n\s+at |\.ts/);

    await rm(ballast);
    expect(existsSync(`/proc/${info.pid}`)).toBe(true);
    const { networks } = JSON.parse((await ask("GET", "/network/v2.0/networks")).text);
    const names = networks.map(({ name }: { name: string }) => name).filter((name: string) => name.startsWith("net-"));
    expect(names).toEqual(kept);
    const objects = (await ask("GET", `${account}/box`)).text.trim().split("\n");
    expect(objects).toEqual(acknowledged.toSorted());
    for (const name of acknowledged) {
      expect((await ask("GET", `${account}/box/${name}`)).text).toHaveLength(content.length);
      expect((await ask("DELETE", `${account}/box/${name}`)).status).toBe(204);
    }
    expect((await ask("PUT", `${account}/box/again`, content)).status).toBe(201);
    expect((await make("/network/v2.0/networks", { network: { name: "again" } })).network.name).toBe("again");
  });
});

/** Writes a file until the disk takes no more. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const size of [65_536, 4096, 1]) {
      const block = Buffer.alloc(size);
      for (let written = 1; written > 0; )
        written = await file.write(block).then(
          ({ bytesWritten }) => bytesWritten,
          () => 0,
        );
    }
  } finally {
    await file.close();
  }
}
