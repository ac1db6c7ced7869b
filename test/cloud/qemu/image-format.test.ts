import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { diskImageOf, inspectImage } from "../../../src/cloud/hypervisors/qemu/image-format.ts";
import { isoImage } from "../../../src/cloud/hypervisors/qemu/iso9660.ts";

const folder = mkdtempSync(join(tmpdir(), "slipway-formats-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Whether a program of this machine is there to be asked for its opinion. */
function has(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("the head of an image file", () => {
  const qcow2 = (change: (head: Buffer) => void = () => undefined) => {
    const head = Buffer.alloc(4096);
    head.writeUInt32BE(0x514649fb, 0);
    head.writeUInt32BE(3, 4);
    head.writeBigUInt64BE(5n * 1024n ** 3n, 24);
    change(head);
    return head;
  };

  it("tells a qcow2 with its size from a raw disk, which is as long as its file", () => {
    expect(diskImageOf(qcow2(), 200_000)).toEqual({ format: "qcow2", size: 5 * 1024 ** 3 });
    expect(diskImageOf(Buffer.alloc(4096), 1 << 20)).toEqual({ format: "raw", size: 1 << 20 });
  });

  it("refuses what leads to other files, and what cannot be booted", () => {
    for (const [head, words] of [
      [qcow2((each) => each.writeBigUInt64BE(104n, 8)), /backing file/],
      [qcow2((each) => each.writeBigUInt64BE(4n, 72)), /external data file/],
      [qcow2((each) => each.writeUInt32BE(2, 32)), /encrypted/],
      [qcow2((each) => each.writeUInt32BE(4, 4)), /version 4/],
      [qcow2().subarray(0, 40), /ends within/],
      [Buffer.from("KDMV…"), /VMDK/],
      [Buffer.from("vhdxfile"), /VHDX/],
    ] as const) {
      expect(() => diskImageOf(head, head.length)).toThrow(words);
    }
    expect(() => diskImageOf(Buffer.alloc(0), 0)).toThrow(/empty/);
  });

  it("never makes anything but a refusal or a disk of any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, marked) => {
        const head = Buffer.concat([marked ? Buffer.from([0x51, 0x46, 0x49, 0xfb]) : Buffer.alloc(0), bytes]);
        try {
          expect(diskImageOf(head, head.length).format).toMatch(/^(qcow2|raw)$/);
        } catch (error) {
          expect((error as Error).message).toMatch(/^The image /);
        }
      }),
    );
  });

  it.runIf(has("qemu-img"))("is read as QEMU writes it", async () => {
    const [base, above, data] = ["base.qcow2", "above.qcow2", "data.qcow2"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", base, "3G"]);
    execFileSync("qemu-img", ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, above]);
    execFileSync("qemu-img", [
      "create",
      "-q",
      "-f",
      "qcow2",
      "-o",
      `data_file=${join(folder, "data.raw")}`,
      data,
      "1M",
    ]);
    expect(await inspectImage(base)).toEqual({ format: "qcow2", size: 3 * 1024 ** 3 });
    await expect(inspectImage(above)).rejects.toThrow(/backing file/);
    await expect(inspectImage(data)).rejects.toThrow(/external data file/);
    await expect(inspectImage(folder)).rejects.toThrow(/tree of files/);
  });
});

describe("a config drive as a CD", () => {
  const files = {
    "openstack/latest/meta_data.json": '{"uuid":"1"}',
    "openstack/latest/network_data.json": "{}".repeat(3000),
    "openstack/latest/user_data": new Uint8Array([0, 1, 2, 255]),
    "openstack/content/0000": "",
    "ec2/latest/meta-data.json": "{}",
  };

  it.runIf(has("isoinfo")).each([
    ["with Joliet's names", ["-J"], (path: string) => `/${path};1`],
    ["without", [], (path: string) => `/${path.toUpperCase()}${path.includes(".") ? "" : "."};1`],
  ] as const)("is read by another program as it was written, %s", (_, names, shown) => {
    const path = join(folder, "config.iso");
    writeFileSync(path, isoImage("config-2", files));
    const options = ["-i", path, ...names];
    expect(execFileSync("isoinfo", ["-d", "-i", path], { encoding: "utf8" })).toMatch(/^Volume id: config-2$/m);
    const listed = execFileSync("isoinfo", ["-f", ...options], { encoding: "utf8" });
    for (const [name, content] of Object.entries(files)) {
      expect(listed.split("\n")).toContain(shown(name));
      expect(execFileSync("isoinfo", ["-x", shown(name), ...options])).toEqual(Buffer.from(content));
    }
  });

  it("is the same for the same files, in whatever order", () => {
    const turned = Object.fromEntries(Object.entries(files).toReversed());
    expect(isoImage("config-2", turned).equals(isoImage("config-2", files))).toBe(true);
  });

  it.runIf(has("isoinfo"))("holds more files than a sector lists", () => {
    const many = Object.fromEntries(
      Array.from({ length: 120 }, (_, index) => [`content/${String(index).padStart(4, "0")}`, `${index}`]),
    );
    const path = join(folder, "many.iso");
    writeFileSync(path, isoImage("config-2", many));
    const listed = execFileSync("isoinfo", ["-f", "-J", "-i", path], { encoding: "utf8" });
    expect(listed.match(/\/content\/\d{4}/g)).toHaveLength(120);
    expect(execFileSync("isoinfo", ["-x", "/content/0119;1", "-J", "-i", path], { encoding: "utf8" })).toBe("119");
  });
});
