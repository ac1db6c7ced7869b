import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
afterEach(() => cloud.remove());
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

describe("offered images", () => {
  it("are registered once, by name and digest", async () => {
    cloud = await TestCloud.start({ images: [{ name: "debian-13", path: null, digest: digest("a"), minDiskGb: 2 }] });
    const list = async () => (await cloud.get("/image/v2/images?name=debian-13&status=active")).body.images;
    const [first] = await list();
    expect(first).toMatchObject({ visibility: "public", status: "active", min_disk: 2, slipway_digest: digest("a") });
    await cloud.restart();
    expect(await list()).toEqual([first]);
    await cloud.restart({ images: [{ name: "debian-13", path: null, digest: digest("b"), minDiskGb: 2 }] });
    const second = await list();
    expect(second).toMatchObject([{ slipway_digest: digest("b") }]);
    expect(second[0].id).not.toBe(first.id);
    expect((await cloud.get(`/image/v2/images/${first.id}`)).status).toBe(404);
  });

  it("an older build stays, hidden, while a server is made from it", async () => {
    cloud = await TestCloud.start({ images: [{ name: "debian-13", path: null, digest: digest("a"), minDiskGb: 0 }] });
    const server = await cloud.bootServer({ networks: [] });
    await cloud.restart({ images: [{ name: "debian-13", path: null, digest: digest("b"), minDiskGb: 0 }] });
    expect((await cloud.get("/image/v2/images?name=debian-13")).body.images).toHaveLength(1);
    expect((await cloud.get(`/image/v2/images/${server.image.id}`)).body.os_hidden).toBe(true);
  });

  it("need a flavor that is large enough", async () => {
    cloud = await TestCloud.start({ images: [{ name: "debian-13", path: null, minDiskGb: 5 }] });
    const answer = await cloud.post("/compute/v2.1/servers", await cloud.serverBody({ networks: [] }));
    expect(answer.body.badRequest.message).toBe(
      "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is 1073741824 bytes, minimum size is 5368709120 bytes.",
    );
  });
});

describe("uploaded images", () => {
  it("queued, uploaded, active, downloaded, changed, deleted", async () => {
    cloud = await TestCloud.start();
    const created = await cloud.post("/image/v2/images", {
      name: "mine",
      disk_format: "raw",
      container_format: "bare",
      os_distro: "debian",
    });
    expect(created.status).toBe(201);
    expect(created.body).toMatchObject({ status: "queued", visibility: "shared", os_distro: "debian", size: null });
    const path = `/image/v2/images/${created.body.id}`;
    const headers = { "content-type": "application/octet-stream" };
    expect((await cloud.put(`${path}/file`, "content", { headers })).status).toBe(204);
    expect((await cloud.get(path)).body).toMatchObject({
      status: "active",
      size: 7,
      checksum: "9a0364b9e99bb480dd25e1f0284c8555",
      os_hash_algo: "sha512",
    });
    expect((await cloud.get(`${path}/file`)).text).toBe("content");
    expect((await cloud.put(`${path}/file`, "again", { headers })).status).toBe(409);
    const patch = [
      { op: "replace", path: "/name", value: "renamed" },
      { op: "add", path: "/colour", value: "red" },
      { op: "remove", path: "/os_distro" },
    ];
    const type = { "content-type": "application/openstack-images-v2.1-json-patch" };
    const patched = await cloud.request("PATCH", path, { body: JSON.stringify(patch), headers: type });
    expect(patched.body).toMatchObject({ name: "renamed", colour: "red" });
    expect(patched.body).not.toHaveProperty("os_distro");
    const readOnly = JSON.stringify([{ op: "replace", path: "/status", value: "queued" }]);
    expect((await cloud.request("PATCH", path, { body: readOnly, headers: type })).status).toBe(403);
    expect((await cloud.delete(path)).status).toBe(204);
    expect((await cloud.get(path)).status).toBe(404);
  });

  it("errors are pages, as Glance writes them", async () => {
    cloud = await TestCloud.start();
    const answer = await cloud.get("/image/v2/images/none");
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toContain("text/html");
    expect(answer.text).toContain("No image found with ID none");
  });

  it("only admins make one public, and only owners change it", async () => {
    cloud = await TestCloud.start();
    const body = { name: "x", visibility: "public" };
    expect((await cloud.post("/image/v2/images", body)).status).toBe(403);
    const made = await cloud.post("/image/v2/images", body, { token: await cloud.adminToken() });
    expect((await cloud.get(`/image/v2/images/${made.body.id}`)).status).toBe(200);
    expect((await cloud.delete(`/image/v2/images/${made.body.id}`)).status).toBe(403);
    const hidden = await cloud.post("/image/v2/images", { name: "y" }, { token: await cloud.adminToken() });
    expect((await cloud.get(`/image/v2/images/${hidden.body.id}`)).status).toBe(404);
  });

  it("the content of a registered file can be downloaded", async () => {
    cloud = await TestCloud.start();
    const file = join(cloud.stateDir, "disk.img");
    await writeFile(file, "disk");
    await cloud.restart({ images: [{ name: "disk", path: file, minDiskGb: 0 }] });
    const { images } = (await cloud.get("/image/v2/images?name=disk")).body;
    expect(images[0].size).toBe(4);
    expect((await cloud.get(`/image/v2/images/${images[0].id}/file`)).text).toBe("disk");
  });
});

describe("an import from an address", () => {
  const images = "/image/v2/images";
  const made = async () =>
    (await cloud.post(images, { name: "own", disk_format: "raw", container_format: "bare" })).body.id as string;
  const fetchInto = (id: string, uri: string) =>
    cloud.post(`${images}/${id}/import`, { method: { name: "web-download", uri } });
  const shown = async (id: string) => (await cloud.get(`${images}/${id}`)).body;
  const ended = (id: string, status: string) => expect.poll(async () => (await shown(id)).status).toBe(status);
  const serving = async (listener: RequestListener) => {
    const server = createServer(listener).listen(0, "127.0.0.1");
    await once(server, "listening");
    return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  };

  it("follows redirects, tells a failure, and forgets it when the next one begins", async () => {
    cloud = await TestCloud.start();
    const { server, url } = await serving((request, response) => {
      if (request.url === "/image") return response.end("content");
      const location = request.url === "/away" ? "/image" : "http://169.254.169.254/latest/meta-data";
      return response.writeHead(302, { location }).end();
    });
    try {
      const id = await made();
      expect((await fetchInto(id, `${url}/inside`)).status).toBe(202);
      await ended(id, "queued");
      expect((await shown(id)).os_glance_failed_import).toBe("file");
      expect((await fetchInto(id, `${url}/away`)).status).toBe(202);
      await ended(id, "active");
      expect(await shown(id)).toMatchObject({ size: 7 });
      expect(await shown(id)).not.toHaveProperty("os_glance_failed_import");
      expect((await cloud.get(`${images}/${id}/file`)).text).toBe("content");
    } finally {
      server.close();
    }
  });

  it("takes the schemes that Glance takes, and addresses only", async () => {
    cloud = await TestCloud.start();
    const id = await made();
    for (const uri of ["file:///etc/passwd", "data:text/plain,x", "nothing"]) {
      expect((await fetchInto(id, uri)).status).toBe(400);
    }
    expect((await shown(id)).status).toBe("queued");
  });

  it("that a restart of the cloud cuts off has failed", async () => {
    cloud = await TestCloud.start();
    const { server, url } = await serving(() => {}); // never answers
    try {
      const id = await made();
      await fetchInto(id, url);
      expect((await shown(id)).status).toBe("importing");
      await cloud.restart();
      expect(await shown(id)).toMatchObject({ status: "queued", os_glance_failed_import: "file" });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
