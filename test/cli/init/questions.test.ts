import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { completeAnswers } from "../../../src/cli/init/answers.ts";
import { flavorChoices, imageChoices } from "../../../src/cli/init/choices.ts";
import { ownAddressTowards } from "../../../src/cli/init/own-address.ts";
import { type Known, questionOf } from "../../../src/cli/init/questions.ts";
import type { Flavor } from "../../../src/openstack/compute/flavors.ts";
import type { Image } from "../../../src/openstack/image/images.ts";

const image = (name: string, more: Partial<Image> = {}): Image => ({ id: name, name, created_at: "", ...more });
const flavor = (name: string, vcpus: number, ram: number, disk: number): Flavor => ({
  ...{ id: name, name, vcpus, ram, disk },
  swap: "",
});
const known: Known = {
  offer: {
    images: [image("debian-13", { size: 3e8, min_disk: 10, min_ram: 2048 })],
    flavors: [
      flavor("big", 4, 8192, 40),
      flavor("flat", 2, 4096, 0),
      flavor("short", 1, 2048, 5),
      flavor("nano", 1, 64, 40),
    ],
    networks: [{ id: "1", name: "public", ranges: ["172.24.64.0/24"] }],
  },
  ownAddress: "192.0.2.7",
  projectRoot: join(import.meta.dirname, "../../.."),
};

describe("what there is to choose from", () => {
  it("images: tested distributions first, the newest first, somebody's snapshots last", () => {
    const names = [
      image("x86_64 ubuntu-22.04"),
      image("CentOS 9"),
      image("Ubuntu 24.04 LTS"),
      image("debian-12 of monday", { image_type: "snapshot" }),
      image("bookworm", { os_distro: "debian", os_version: "12" }),
      image("debian-13", { size: 341_000_000 }),
      image("cirros"),
    ];
    expect(imageChoices(names).map(({ name }) => name)).toEqual([
      "debian-13",
      "bookworm",
      "Ubuntu 24.04 LTS",
      "x86_64 ubuntu-22.04",
      "CentOS 9",
      "cirros",
      "debian-12 of monday",
    ]);
    expect(imageChoices(names)[0]?.about).toBe("341 MB");
  });

  it("flavors: the smallest that image and host fit into, then those that are too small", () => {
    expect(flavorChoices(known.offer.flavors, known.offer.images[0])).toEqual([
      { name: "flat", about: "2 vCPU, 4 GiB memory, a disk like the image" },
      { name: "big", about: "4 vCPU, 8 GiB memory, 40 GiB disk" },
      { name: "nano", about: "1 vCPU, 0.1 GiB memory, 40 GiB disk: too small" },
      { name: "short", about: "1 vCPU, 2 GiB memory, 5 GiB disk: too small" },
    ]);
    expect(flavorChoices(known.offer.flavors, undefined)[0]?.name).toBe("short");
  });
});

describe("from where SSH is let in", () => {
  const suggested = (ownAddress: string | undefined) =>
    questionOf("ssh-cidr", { "external-network": "public" }, { ...known, ownAddress }).suggestion;

  it("is this machine, or the network that it shares with a cloud on it, and nobody where that is not known", () => {
    expect(suggested("192.0.2.7")).toBe("192.0.2.7/32");
    expect(suggested("127.0.0.1")).toBe("172.24.64.0/24");
    expect(suggested(undefined)).toBeUndefined();
  });

  it("is told by the way to the cloud, without asking it", async () => {
    const server = createServer((_request, response) => response.end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    expect(await ownAddressTowards(`http://127.0.0.1:${port}/identity/v3`)).toBe("127.0.0.1");
    server.close();
    expect(await ownAddressTowards("http://no-such-host.invalid/v3")).toBeUndefined();
  });
});

describe("answers", () => {
  it("that are not given are what is suggested, if so wanted", async () => {
    expect(await completeAnswers({ flavor: "big" }, known, "suggested")).toEqual({
      image: "debian-13",
      flavor: "big",
      "external-network": "public",
      "ssh-cidr": "192.0.2.7/32",
      model: "models/diabetes/production",
      "model-name": "diabetes",
    });
    await expect(completeAnswers({}, { ...known, ownAddress: undefined }, "suggested")).rejects.toMatchObject({
      code: "E_USAGE",
      message: expect.stringMatching(/not given: --ssh-cidr$/),
    });
  });

  it("are asked for one by one, each with what was answered before", async () => {
    const put: string[] = [];
    const answers = await completeAnswers({ model: "models/diabetes/development" }, known, async (question) => {
      put.push(question.option);
      return question.option === "ssh-cidr" ? "198.51.100.0/24" : (question.suggestion ?? "");
    });
    expect(put).toEqual(["image", "flavor", "external-network", "ssh-cidr", "model-name"]);
    expect(answers).toMatchObject({ flavor: "flat", "ssh-cidr": "198.51.100.0/24", "model-name": "development" });
  });
});
