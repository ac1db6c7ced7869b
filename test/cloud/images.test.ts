import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { deleteImage } from "../../src/cloud/image/images.ts";
import { parsePointer } from "../../src/cloud/image/patch.ts";
import { imageTable } from "../../src/cloud/image/records.ts";
import { stateFiles } from "../../src/cloud/store/state.ts";
import { Store } from "../../src/cloud/store/store.ts";
import { TestCloud } from "./support.ts";

let cloud: TestCloud;
afterEach(() => cloud?.remove());
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

it("the parts of a JSON pointer are the names that it was made of", () => {
  const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text.trim() === text && text !== "");
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 3 }), (names) => {
      const pointer = names.map((part) => `/${part.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
      expect(parsePointer(pointer)).toEqual(names);
    }),
  );
});

describe("what Glance answers", () => {
  const images = "/image/v2/images";
  const stream = { headers: { "content-type": "application/octet-stream" } };
  const formats = { disk_format: "raw", container_format: "bare" };
  const made = async (fields: Record<string, unknown> = {}) =>
    (await cloud.post(images, { name: "own", ...formats, ...fields })).body.id as string;
  const json = { headers: { accept: "application/json" } };
  const said = (answer: { status: number; body: { message: string } }) => [
    answer.status,
    answer.body.message.replace(/<br \/><br \/>\s*/, "|").trim(),
  ];
  const denied = "Access was denied to this resource.|";
  const conflict = "There was a conflict when trying to complete your request.|";

  it("to what it does not take, in its words and each client's form", async () => {
    cloud = await TestCloud.start();
    const refusals: [Record<string, unknown>, number, string][] = [
      [{ name: 5 }, 400, "Provided object does not match schema 'image': 5 is not of type 'null', 'string'|"],
      [{ visibility: "x" }, 400, "'x' is not one of ['community', 'public', 'private', 'shared']|"],
      [{ min_disk: "1" }, 400, "'1' is not of type 'integer'|"],
      [{ min_disk: -1 }, 400, "Invalid value '-1' for parameter 'min_disk': Cannot be a negative value|"],
      [{ foo: 5 }, 400, "5 is not of type 'string'|"],
      [{ size: 5 }, 403, "Attribute 'size' is read-only.|"],
      [{ owner: "other" }, 403, "You are not permitted to create images owned by 'other'.|"],
      [{ os_glance_x: "1" }, 403, `${denied}Attribute 'os_glance_x' is reserved.`],
      [{ visibility: "public" }, 403, "You are not authorized to complete publicize_image action.|"],
    ];
    for (const [fields, status, words] of refusals) {
      const [code, message] = said(await cloud.post(images, fields, json));
      expect([code, message]).toEqual([status, expect.stringContaining(words)]);
    }
    const plain = await cloud.get(`${images}/a%3Cb`, { headers: { accept: "text/plain" } });
    expect(plain.text).toBe("404 Not Found\n\nNo image found with ID a<b\n\n   ");
    expect((await cloud.get(`${images}/a%3Cb`)).text).toContain("No image found with ID a&lt;b<br /><br />\n\n\n\n");

    const id = await made({ foo: "bar" });
    const patch = (changes: unknown, version = "2.1") =>
      cloud.request("PATCH", `${images}/${id}`, {
        body: JSON.stringify(changes),
        headers: { ...json.headers, "content-type": `application/openstack-images-v${version}-json-patch` },
      });
    const patches: [unknown, number, string][] = [
      [[{ op: "replace", path: "/zz", value: "1" }], 409, `${conflict}Property zz does not exist.`],
      [[{ op: "remove", path: "/zz" }], 409, `${conflict}Property zz does not exist.`],
      [[{ op: "remove", path: "/name" }], 403, `${denied}Property name may not be removed.`],
      [[{ op: "replace", path: "/id", value: "1" }], 403, "Attribute 'id' is read-only.|"],
      [[{ op: "replace", path: "/owner", value: "1" }], 403, `${denied}Owner can't be updated by non admin.`],
      [[{ op: "add", path: "/owner", value: "1" }], 403, `Forbidding request, image ${id} not visible|`],
      [5, 400, "Unexpected body type. Expected list/dict.|"],
      [
        [{ op: "test", path: "/a" }],
        400,
        "Invalid operation: `test`. It must be one of the following: add, remove, replace.|",
      ],
      [[{ op: "add", path: "a", value: "1" }], 400, 'Pointer `a` does not start with "/".|'],
      [[{ op: "add", path: "/a/b", value: "1" }], 400, "Invalid JSON pointer for this resource: '/a/b'|"],
      [[{ op: "add", path: "/a" }], 400, 'Operation "add" requires a member named "value".|'],
      [
        [{ op: "add", path: "/a~2", value: "1" }],
        400,
        'Pointer `/a~2` contains "~" not part of a recognized escape sequence.|',
      ],
      [[{ op: "replace", path: "/locations", value: [] }], 403, `${denied}Cannot set locations to empty list.`],
      [{}, 400, "Request body must be a JSON array of operation objects.|"],
      [["x"], 400, "Operations must be JSON objects.|"],
    ];
    for (const [changes, status, words] of patches) expect(said(await patch(changes))).toEqual([status, words]);
    expect((await patch([{ add: "/b", value: "1" }], "2.0")).body.b).toBe("1");
    expect(said(await patch([{ add: "/b", value: "1" }], "2.0"))).toEqual([
      409,
      `${conflict}Property b already present.`,
    ]);
    // all of a patch, or nothing of it
    expect(
      (
        await patch([
          { op: "add", path: "/c", value: "1" },
          { op: "remove", path: "/zz" },
        ])
      ).status,
    ).toBe(409);
    expect((await cloud.get(`${images}/${id}`)).body).not.toHaveProperty("c");
    expect((await cloud.request("PATCH", `${images}/${id}`, { body: [] })).status).toBe(415);
    const unnamed = { headers: { ...json.headers, "content-type": "text/plain" } };
    expect(said(await cloud.post(images, "no JSON", unnamed))).toEqual([400, "Malformed JSON in request body.|"]);
    expect((await cloud.post(images, '{"name": "plain"}', unnamed)).body).toMatchObject({ name: "plain" });
    expect(said(await cloud.post(images, "null", unnamed))).toEqual([
      400,
      "Unexpected body type. Expected list/dict.|",
    ]);
  });

  it("to contents that an image's end or the cloud's comes between", async () => {
    cloud = await TestCloud.start();
    const files = () => readdir(stateFiles(cloud.stateDir).images);
    const gone = await made();
    const upload = request(`${cloud.base}${images}/${gone}/file`, {
      method: "PUT",
      headers: { "x-auth-token": cloud.token, ...stream.headers },
    });
    upload.write("0123");
    await expect.poll(async () => (await cloud.get(`${images}/${gone}`)).body.status).toBe("saving");
    expect((await cloud.delete(`${images}/${gone}`)).status).toBe(204);
    upload.end("456");
    const [answer] = (await once(upload, "response")) as [IncomingMessage];
    answer.resume();
    expect(answer.statusCode).toBe(410);
    expect(await files()).toEqual([]);

    const [sent, staged, importing] = [await made(), await made(), await made()];
    await cloud.put(`${images}/${staged}/stage`, "0123", stream);
    await cloud.cloud.close();
    // as a process leaves them that is killed
    const store = new Store(stateFiles(cloud.stateDir).database);
    imageTable(store).patch(sent, { status: "saving" });
    imageTable(store).patch(importing, { status: "importing" });
    store.close();
    for (const left of [`${sent}.part`, importing])
      await writeFile(join(stateFiles(cloud.stateDir).images, left), "01");
    await cloud.restart();
    const status = async (id: string) => (await cloud.get(`${images}/${id}`)).body.status;
    expect([await status(sent), await status(staged), await status(importing)]).toEqual([
      ...["queued", "uploading", "queued"],
    ]);
    expect(await files()).toEqual([`${staged}.staged`]);
    expect((await cloud.put(`${images}/${sent}/file`, "0123", stream)).status).toBe(204);
  });

  it("by Nova's older way are Glance's own: what is staged goes too, names are reserved, others' are refused", async () => {
    cloud = await TestCloud.start();
    const files = () => readdir(stateFiles(cloud.stateDir).images);
    const nova = (id: string, rest = "") => `/compute/v2.1/images/${id}${rest}`;
    const id = await made();
    await cloud.put(`${images}/${id}/stage`, "0123", stream);
    expect(await files()).toEqual([`${id}.staged`]);
    expect((await cloud.delete(nova(id))).status).toBe(204);
    expect(await files()).toEqual([]);
    const missing = await cloud.delete(nova(id));
    expect([missing.status, missing.body.itemNotFound?.message]).toEqual([404, "Image not found."]);

    const kept = await made();
    const metadata = nova(kept, "/metadata");
    expect((await cloud.post(metadata, { metadata: { a: "b", "c.d": "e" } })).body).toEqual({
      metadata: { a: "b", "c.d": "e" },
    });
    expect((await cloud.put(metadata, { metadata: { a: "f" } })).body).toEqual({ metadata: { a: "f" } });
    expect((await cloud.put(`${metadata}/a`, { meta: { a: "g" } })).status).toBe(200);
    expect((await cloud.get(`${images}/${kept}`)).body).toMatchObject({ a: "g" });
    expect((await cloud.get(`${images}/${kept}`)).body).not.toHaveProperty("c.d");
    const reserved = await cloud.post(metadata, { metadata: { os_glance_failed_import: "all" } });
    expect([reserved.status, reserved.body.forbidden?.message]).toEqual([403, `Not authorized for image ${kept}.`]);
    expect((await cloud.delete(`${metadata}/a`)).status).toBe(204);
    expect((await cloud.get(metadata)).body).toEqual({ metadata: {} });

    const asAdmin = { token: await cloud.adminToken() };
    const others = (await cloud.post(images, { visibility: "public" }, asAdmin)).body.id;
    const refused = await cloud.post(nova(others, "/metadata"), { metadata: { a: "b" } });
    expect([refused.status, refused.body.forbidden.message]).toEqual([403, `Not authorized for image ${others}.`]);
    const undeleted = await cloud.delete(nova(others));
    expect([undeleted.status, undeleted.body.forbidden.message]).toEqual([
      403,
      "You are not allowed to delete the image.",
    ]);
  });

  it("to contents: ranges, staging, deactivation, import methods", async () => {
    cloud = await TestCloud.start();
    const id = await made();
    expect((await cloud.get(`${images}/${id}/file`)).status).toBe(204);
    expect((await cloud.put(`${images}/${id}/file`, "x", { headers: { "content-type": "text/plain" } })).status).toBe(
      415,
    );
    await cloud.put(`${images}/${id}/file`, "0123456789", stream);
    const part = (range: string) => cloud.get(`${images}/${id}/file`, { headers: { range, accept: "text/plain" } });
    for (const [range, text, told] of [
      ["bytes=0-4", "01234", "bytes 0-4/10"],
      ["bytes=5-", "56789", "bytes 5-9/10"],
      ["bytes=-2", "89", "bytes 8-9/10"],
    ]) {
      const answer = await part(range ?? "");
      expect([answer.status, answer.text, answer.headers.get("content-range")]).toEqual([206, text, told]);
      expect(answer.headers.get("content-md5")).toBe("781e5e245d69b566979b86e28d23f2c7");
    }
    for (const range of ["bytes=20-30", "bytes=5-2", "x"]) expect((await part(range)).status).toBe(416);
    expect((await cloud.get(`${images}/${id}`)).body).toMatchObject({ virtual_size: 10, stores: "local" });

    expect((await cloud.post(`${images}/${id}/actions/deactivate`, undefined)).status).toBe(204);
    expect((await cloud.get(`${images}/${id}/file`)).status).toBe(403);
    expect((await cloud.post(`${images}/${id}/actions/reactivate`, undefined)).status).toBe(204);

    const staged = await made();
    expect((await cloud.post(`${images}/${staged}/import`, { method: { name: "glance-direct" } }, json)).status).toBe(
      409,
    );
    expect((await cloud.put(`${images}/${staged}/stage`, "0123", stream)).status).toBe(204);
    expect((await cloud.get(`${images}/${staged}`)).body).toMatchObject({
      status: "uploading",
      size: 4,
      checksum: null,
    });
    expect((await cloud.post(`${images}/${staged}/import`, { method: { name: "glance-direct" } })).status).toBe(202);
    await expect.poll(async () => (await cloud.get(`${images}/${staged}`)).body.status).toBe("active");
    expect((await cloud.get(`${images}/${staged}/file`)).text).toBe("0123");
    const download = { method: { name: "web-download", uri: "http://127.0.0.1/" } };
    expect(said(await cloud.post(`${images}/${await made()}/import`, download, json))).toEqual([
      400,
      "Unknown import method name 'web-download'.|",
    ]);
    expect((await cloud.get("/image/v2/info/import")).body["import-methods"].value).toEqual([
      "glance-direct",
      "copy-image",
    ]);
    expect((await cloud.get("/image/v2/info/stores")).body).toEqual({ stores: [{ id: "local", default: "true" }] });
    expect((await cloud.get("/image/v2/schemas/image")).body.properties.disk_format.enum).toContain("qcow2");
  });

  it("to whom an image is shared with", async () => {
    cloud = await TestCloud.start();
    const token = await cloud.adminToken();
    const identity = { token, headers: {} };
    const project = (await cloud.post("/identity/v3/projects", { project: { name: "p" } }, identity)).body.project.id;
    const user = { name: "u", password: "secret", default_project_id: project };
    const { id: userId } = (await cloud.post("/identity/v3/users", { user }, identity)).body.user;
    const { roles } = (await cloud.get("/identity/v3/roles?name=member", identity)).body;
    await cloud.put(`/identity/v3/projects/${project}/users/${userId}/roles/${roles[0].id}`, undefined, identity);
    const login = { username: "u", password: "secret", projectName: "p" };
    const other = { token: (await cloud.authenticate(login)).headers.get("x-subject-token") ?? "" };

    const id = await made();
    const members = `${images}/${id}/members`;
    expect((await cloud.get(`${images}/${id}`, other)).status).toBe(404);
    expect((await cloud.post(members, { member: project })).body).toMatchObject({
      member_id: project,
      status: "pending",
    });
    expect((await cloud.post(members, { member: project })).status).toBe(409);
    expect((await cloud.get(`${images}/${id}`, other)).status).toBe(200);
    const listed = async (query: string) =>
      (await cloud.get(`${images}?name=own${query}`, other)).body.images.map((image: { id: string }) => image.id);
    expect(await listed("")).toEqual([]);
    expect(await listed("&member_status=pending")).toEqual([id]);
    expect((await cloud.put(`${members}/${project}`, { status: "accepted" })).status).toBe(403); // the owner
    expect((await cloud.put(`${members}/${project}`, { status: "maybe" }, other)).status).toBe(400);
    expect((await cloud.put(`${members}/${project}`, { status: "accepted" }, other)).body.status).toBe("accepted");
    expect(await listed("")).toEqual([id]);
    expect(await listed("&visibility=shared")).toEqual([id]);
    expect((await cloud.delete(`${images}/${id}`, other)).status).toBe(403);
    expect((await cloud.delete(`${members}/${project}`)).status).toBe(204);
    expect((await cloud.get(`${images}/${id}`, other)).status).toBe(404);
    const community = await made({ visibility: "community" });
    expect(await listed("")).toEqual([]);
    expect(await listed("&visibility=community")).toEqual([community]);
    expect(await listed("&visibility=all")).toEqual([community]);
    expect((await cloud.get(`${images}/${community}/members`)).status).toBe(403);
  });

  it("to lists: pages, order, filters, tags", async () => {
    cloud = await TestCloud.start({ images: [] });
    const [a, b] = [await made({ name: "a", tags: ["x"] }), await made({ name: "b", tags: ["x", "y"], colour: "red" })];
    expect((await cloud.put(`${images}/${a}/tags/z`)).status).toBe(204);
    expect((await cloud.delete(`${images}/${a}/tags/none`)).status).toBe(404);
    const ids = async (query: string) =>
      (await cloud.get(`${images}?${query}`)).body.images.map((image: { id: string }) => image.id);
    expect(await ids("")).toEqual([b, a]);
    expect(await ids("sort=name:asc")).toEqual([a, b]);
    expect(await ids("sort_key=name&sort_dir=desc")).toEqual([b, a]);
    expect(await ids("name=in:a,c")).toEqual([a]);
    expect(await ids(`name=in:${encodeURIComponent('"a","b"')}`)).toEqual([b, a]);
    expect(await ids("name=A")).toEqual([]);
    expect([await ids("tag=x&tag=y"), await ids("tag=z")]).toEqual([[b], [a]]);
    expect([await ids("colour=red"), await ids("created_at=lt:2020-01-01T00:00:00Z")]).toEqual([[b], []]);
    const first = (await cloud.get(`${images}?limit=1&sort=name:asc`)).body;
    expect(first.next).toBe(`/v2/images?limit=1&sort=name%3Aasc&marker=${a}`);
    const second = (await cloud.get(`/image${first.next}`)).body;
    expect(second.images).toMatchObject([{ id: b }]);
    for (const [query, words] of [
      ["limit=x", "limit param must be an integer"],
      ["marker=x", "No image found with ID x"],
      ["sort_key=zz", "Invalid sort key: zz. It must be one of the following: name, status,"],
      ["sort=name&sort_key=id", "Old and new sorting syntax cannot be combined"],
      ["visibility=zz", "Invalid visibility value: zz"],
      ["os_hidden=z", "Invalid value 'z' for 'os_hidden' filter. Valid values are 'true' or 'false'."],
      ["size_min=x", "Unable to filter on a range with a non-numeric value."],
      ["created_at=zz", 'Bad "created_at" query filter format. Use ISO 8601 DateTime notation.'],
      ["name=neq:x", "Unable to filter by unknown operator 'neq'."],
    ]) {
      expect(said(await cloud.get(`${images}?${query}`, json))).toEqual([400, expect.stringContaining(words ?? "")]);
    }
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
    cloud = await TestCloud.start({ webDownload: true });
    const { server, url } = await serving((request, response) => {
      if (request.url === "/image") return response.end("content");
      const location = request.url === "/away" ? "/image" : "http://169.254.169.254/latest/meta-data";
      return response.writeHead(302, { location }).end();
    });
    try {
      const id = await made();
      expect((await fetchInto(id, `${url}/inside`)).status).toBe(202);
      await ended(id, "queued");
      expect((await shown(id)).os_glance_failed_import).toBe("local");
      expect((await fetchInto(id, `${url}/away`)).status).toBe(202);
      await ended(id, "active");
      expect(await shown(id)).toMatchObject({ size: 7 });
      expect(await shown(id)).toMatchObject({ os_glance_failed_import: "", os_glance_importing_to_stores: "" });
      expect((await cloud.get(`${images}/${id}/file`)).text).toBe("content");
    } finally {
      server.close();
    }
  });

  it("takes the schemes that Glance takes, and addresses only", async () => {
    cloud = await TestCloud.start({ webDownload: true });
    const id = await made();
    for (const uri of ["file:///etc/passwd", "data:text/plain,x", "nothing"]) {
      expect((await fetchInto(id, uri)).status).toBe(400);
    }
    expect((await shown(id)).status).toBe("queued");
  });

  it("that a restart of the cloud cuts off has failed", async () => {
    cloud = await TestCloud.start({ webDownload: true });
    const { server, url } = await serving(() => {}); // never answers
    try {
      const id = await made();
      await fetchInto(id, url);
      expect((await shown(id)).status).toBe("importing");
      await cloud.restart();
      expect(await shown(id)).toMatchObject({ status: "queued", os_glance_failed_import: "local" });
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});

it("a large tree goes with its image while the cloud answers", async () => {
  cloud = await TestCloud.start();
  const { id } = (await cloud.post("/image/v2/images", { disk_format: "raw", container_format: "bare" })).body;
  await cloud.cloud.close();
  const tree = join(stateFiles(cloud.stateDir).images, id);
  await mkdir(tree, { recursive: true });
  for (let count = 0; count < 500; count++) await mkdir(join(tree, String(count)));
  const store = new Store(stateFiles(cloud.stateDir).database);
  const table = imageTable(store);
  table.patch(id, { status: "active", path: tree, ownsContent: true });
  const image = table.get(id);
  if (image === undefined) throw new Error("the image is gone");
  try {
    const removeContent = deleteImage(table, image);
    expect([table.get(id), existsSync(tree)]).toEqual([undefined, true]);
    let answered = false;
    setImmediate(() => {
      answered = true;
    });
    await removeContent();
    expect([answered, existsSync(tree)]).toEqual([true, false]);
  } finally {
    store.close();
    await cloud.restart();
  }
});
