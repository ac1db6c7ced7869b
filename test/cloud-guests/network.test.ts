import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstHostOf, ipv4Number, ipv4Text, overlaps, rangeOf } from "../../src/cloud/network/linux/addresses.ts";
import {
  addressesInHostsFile,
  hostsInEnvironment,
  hostsInText,
  nameserversIn,
} from "../../src/cloud/network/linux/configured-names.ts";
import { askingNetworks, externalPlan, guestNamespacesOf, routedPlans } from "../../src/cloud/network/linux/desired.ts";
import { checkRange, clashesOf, pickRange } from "../../src/cloud/network/linux/external-range.ts";
import { addressCommands, linkCommands } from "../../src/cloud/network/linux/link-diff.ts";
import * as names from "../../src/cloud/network/linux/names.ts";
import { growFarEnd, growNearEnds, outgrownFarEnds } from "../../src/cloud/network/linux/outgrown-links.ts";
import { external, plan, port, router } from "./plans.ts";

const site = { instance: "cloud1", external };

describe("names on the machine", () => {
  it("carry the instance, and link names fit into the kernel's 15 bytes", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.string(), (id, instance) => {
        const tag = names.instanceTag(instance);
        for (const name of [
          names.guestName(instance, id),
          names.routerNamespace(instance, id),
          names.hostLink(instance),
        ]) {
          expect(names.tagIn(name)).toBe(tag);
        }
        const links = [
          names.hostLink(instance),
          names.links.tap(id),
          names.links.routerLeg(id),
          names.links.externalPort(id),
        ];
        for (const link of links) expect(link.length).toBeLessThanOrEqual(15);
        expect(names.tagInCgroup(names.instanceCgroup(instance))).toBe(tag);
      }),
    );
  });

  it("are not claimed of others", () => {
    for (const name of ["eth0", "docker0", "sw-X-ext", "sw-", "virbr0"]) expect(names.tagIn(name)).toBeUndefined();
    for (const [kind, name] of [
      ["namespace", "sw-core1-ext"],
      ["namespace", "sw-lab1-r-01234567"],
      ["namespace", "sw-abc123-lab-01234567"],
      ["link", "sw-edge-x"],
      ["cgroup", "/sys/fs/cgroup/slipway-serve"],
      ["process", "17 sh sw-abc123-01234567"],
    ]) {
      expect(names.isOwnName(kind as string, name as string), name).toBe(false);
    }
  });

  it("are known as a cloud's own to the last letter", () => {
    fc.assert(
      fc.property(fc.uuid(), fc.integer({ min: 0, max: 0xffffff }), (id, number) => {
        const instance = number.toString(16).padStart(6, "0");
        const namespaces = [names.routerNamespace, names.networkNamespace, names.guestNamespace];
        for (const of of namespaces) expect(names.isOwnName("namespace", of(instance, id))).toBe(true);
        expect(names.isOwnName("namespace", names.externalNamespace(instance))).toBe(true);
        expect(names.isOwnName("link", names.hostLink(instance))).toBe(true);
        expect(names.isOwnName("cgroup", `/sys/fs/cgroup/pids/${names.instanceCgroup(instance)}`)).toBe(true);
      }),
    );
  });
});

describe("addresses", () => {
  it("go from text to number and back", () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        expect(ipv4Text(ipv4Number(text) as number)).toBe(text);
      }),
    );
  });

  it("make ranges that overlap where one holds an address of the other", () => {
    expect(rangeOf("10.0.0.77/24")).toEqual(rangeOf("10.0.0.0/24"));
    expect(overlaps(rangeOf("10.0.0.0/24") as never, rangeOf("10.0.0.255") as never)).toBe(true);
    expect(overlaps(rangeOf("10.0.0.0/24") as never, rangeOf("10.0.1.0/24") as never)).toBe(false);
    expect(firstHostOf("172.24.80.0/24")).toBe("172.24.80.1");
    for (const text of ["fd00::/8", "10.0.0/24", "10.0.0.0/33", "300.1.1.1", "default"])
      expect(rangeOf(text)).toBeUndefined();
  });
});

describe("the external range", () => {
  it("is the first that nothing uses", () => {
    expect(pickRange([])).toBe("172.24.64.0/24");
    const used = [
      { cidr: "172.24.64.9", origin: "name server" },
      { cidr: "172.24.65.0/26", origin: "route by eth1" },
    ];
    expect(pickRange(used)).toBe("172.24.66.0/24");
  });

  it("is refused when it is used, with what uses it", () => {
    const used = [{ cidr: "10.213.0.0/16", origin: "address of tun0" }];
    expect(() => checkRange("10.213.7.0/24", used)).toThrow(expect.objectContaining({ code: "E_ADDRESS_RANGE" }));
    expect(() => checkRange("10.213.7.0/24", used)).toThrow(/address of tun0 10\.213\.0\.0\/16/);
    expect(checkRange("10.214.7.0/24", used)).toBe("10.214.7.0/24");
    expect(() => pickRange([{ cidr: "172.16.0.0/12", origin: "route by vpn0" }])).toThrow(/every range/);
  });

  it.each(["10.0.0.0", "10.0.0.0/8", "10.0.0.0/30", "nonsense"])("is refused when it is %s", (cidr) => {
    expect(() => checkRange(cidr, [])).toThrow(expect.objectContaining({ code: "E_ADDRESS_RANGE" }));
  });

  it("never clashes with what it was picked beside", () => {
    const used = fc.array(
      fc.record({
        cidr: fc
          .tuple(fc.integer({ min: 64, max: 126 }), fc.integer({ min: 20, max: 32 }))
          .map(([c, l]) => `172.24.${c}.1/${l}`),
        origin: fc.constant("x"),
      }),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(used, (list) => {
        fc.pre(list.every(({ cidr }) => !clashesOf("172.24.127.0/24", [{ cidr, origin: "" }]).length));
        expect(clashesOf(pickRange(list), list)).toEqual([]);
      }),
    );
  });
});

describe("configured names", () => {
  it("are found in the files of package managers", () => {
    expect(hostsInText('URIs: http://mirror.example/debian\nProxy "https://u:p@proxy.example:3128/";')).toEqual([
      "mirror.example",
      "proxy.example",
    ]);
    expect(
      hostsInEnvironment({
        https_proxy: "proxy.example:3128",
        NO_PROXY: "http://x.example",
        PIP_INDEX_URL: "https://pip.example/simple",
        HOME: "http://h.example",
      }),
    ).toEqual(["proxy.example", "pip.example"]);
    expect(nameserversIn("# nameserver 1.1.1.1\nnameserver 10.1.2.3\n nameserver fd00::1\n")).toEqual([
      "10.1.2.3",
      "fd00::1",
    ]);
    expect(addressesInHostsFile("127.0.0.1 localhost\n::1 localhost\n10.9.8.7 build # x\n")).toEqual([
      "127.0.0.1",
      "10.9.8.7",
    ]);
  });
});

describe("what the plan asks of the machine", () => {
  it("is one namespace per network, router and guest, and one for the external network", () => {
    expect(routedPlans(plan(), site).map(({ name }) => name)).toEqual(["sw-cloud1-r-cccccccc", "sw-cloud1-n-eeeeeeee"]);
    expect(guestNamespacesOf(plan(), "cloud1")).toEqual(["sw-cloud1-g-bbbbbbbb"]);
    expect(externalPlan(plan(), site).veths.map(({ peer }) => [peer.namespace, peer.name])).toEqual([
      [null, "sw-cloud1-x"],
      ["sw-cloud1-r-cccccccc", "qg"],
    ]);
  });

  it("gives the guest's NIC its MAC and MTU, and routes to its address", () => {
    const network = routedPlans(plan(), site)[1];
    expect(network?.veths.at(-1)).toEqual({
      name: "t-aaaaaaaa",
      mtu: 1450,
      mac: "f6:16:3e:00:00:01",
      peer: { namespace: "sw-cloud1-g-bbbbbbbb", name: "ens3", mac: "fa:16:3e:00:00:01" },
    });
    expect(network?.routes).toEqual([
      "10.0.0.5/32 dev t-aaaaaaaa",
      "10.0.0.1/32 dev q-cccccccc",
      "default via 10.0.0.1 dev q-cccccccc onlink",
    ]);
  });

  it("has the metadata service's address in every network, and a gateway's that nobody else has", () => {
    const atHome = (fields: Parameters<typeof plan>[0]) => routedPlans(plan(fields), site).at(-1)?.addresses.lo;
    const metadata = "169.254.169.254/32";
    expect(atHome({})).toEqual([metadata]);
    expect(atHome({ routers: [] })).toEqual([metadata, "10.0.0.1/32"]);
    expect(atHome({ routers: [], ports: [port({ fixedIps: ["10.0.0.1"] })] })).toEqual([metadata]);
    const virtual = [{ address: "10.0.0.1", mac: port().mac }];
    expect(atHome({ routers: [], ports: [port({ allowedAddresses: virtual })] })).toEqual([metadata]);
    expect([...askingNetworks(plan(), "cloud1")]).toEqual([["sw-cloud1-n-eeeeeeee", port().networkId]]);
    expect(askingNetworks(plan({ ports: [port({ serverId: null })] }), "cloud1").size).toBe(0);
  });

  it("leads a router's routes to the guest that is their next hop, and a guest's further address to it", () => {
    const routes = [{ destination: "198.51.100.0/24", nexthop: "10.0.0.5" }];
    const allowedAddresses = [{ address: "10.0.0.77", mac: port().mac }];
    const [inRouter, inNetwork] = routedPlans(
      plan({ routers: [router({ routes })], ports: [port({ allowedAddresses })] }),
      site,
    );
    expect(inRouter?.routes).toEqual(["198.51.100.0/24 via 10.0.0.5"]);
    expect(inNetwork?.routes).toEqual(
      expect.arrayContaining(["10.0.0.77/32 dev t-aaaaaaaa", "198.51.100.0/24 via 10.0.0.5 dev t-aaaaaaaa onlink"]),
    );
    expect(inNetwork?.ruleset).toContain('"t-aaaaaaaa" . fa:16:3e:00:00:01 . 10.0.0.77');
  });

  it("plugs nothing for a port without a server, and no external leg for a router without a gateway", () => {
    const unplugged = plan({
      ports: [port({ serverId: null })],
      routers: [router({ externalIp: null, floatingIps: [] })],
    });
    expect(guestNamespacesOf(unplugged, "cloud1")).toEqual([]);
    expect(externalPlan(unplugged, site).veths).toHaveLength(1);
    expect(routedPlans(unplugged, site)[1]?.veths.map(({ name }) => name)).toEqual(["q-cccccccc"]);
  });
});

describe("the difference to what is there", () => {
  const wanted = () => routedPlans(plan(), site)[1] as ReturnType<typeof routedPlans>[number];
  const present = [
    { ifname: "lo" },
    { ifname: "sit0" },
    { ifname: "q-cccccccc", ifalias: "sw-cloud1-r-cccccccc/-" },
    { ifname: "t-aaaaaaaa", ifalias: "sw-cloud1-g-bbbbbbbb/fa:16:3e:00:00:01" },
  ];

  it("is nothing where all is as planned", () => {
    expect(linkCommands(wanted(), present, 1)).toEqual([]);
  });

  it("is a new link for one that leads elsewhere, and no link that nobody planned; others' links stay", () => {
    const moved = [
      ...present.slice(0, 3),
      { ifname: "t-aaaaaaaa", ifalias: "sw-cloud1-g-00000000/fa:16:3e:00:00:01" },
      { ifname: "t-99999999" },
    ];
    expect(linkCommands(wanted(), moved, 1)).toEqual([
      "link delete t-aaaaaaaa",
      "link delete t-99999999",
      "link add t-aaaaaaaa address f6:16:3e:00:00:01 mtu 1450 type veth peer name ens3 address fa:16:3e:00:00:01 mtu 1450 netns sw-cloud1-g-bbbbbbbb",
      "link set t-aaaaaaaa alias sw-cloud1-g-bbbbbbbb/fa:16:3e:00:00:01",
    ]);
  });

  it("makes links larger that their network has outgrown, at both ends, and none smaller", () => {
    const alike = (mtu: number) =>
      present.map((link, index) => ({ ...link, mtu, ifindex: index + 1, link_index: index + 11 }));
    expect(growNearEnds(wanted(), alike(1449))).toEqual([
      ...["link set q-cccccccc mtu 1450", "link set t-aaaaaaaa mtu 1450"],
    ]);
    expect(outgrownFarEnds(wanted(), alike(1449))).toEqual([
      { namespace: "sw-cloud1-r-cccccccc", index: 13, nearIndex: 3, mtu: 1450 },
      { namespace: "sw-cloud1-g-bbbbbbbb", index: 14, nearIndex: 4, mtu: 1450 },
    ]);
    for (const mtu of [1450, 1500]) {
      expect([growNearEnds(wanted(), alike(mtu)), outgrownFarEnds(wanted(), alike(mtu))]).toEqual([[], []]);
    }
    const elsewhere = alike(1000).map((link) => ({ ...link, ifalias: "sw-cloud1-g-00000000/-" }));
    expect(outgrownFarEnds(wanted(), elsewhere)).toEqual([]);
    const machines = routedPlans(plan(), site).map((each) => outgrownFarEnds(each, [])); // those that are still to be made
    expect(machines.flat()).toEqual([]);
  });

  it("makes a guest's own end larger by whatever name, with the way into a virtual machine, and nothing else of the guest's", () => {
    const end = { namespace: "guest", index: 3, nearIndex: 14, mtu: 1450 };
    const own = { ifname: "eth0", ifindex: 3, link_index: 14, mtu: 1400 };
    const others = [
      { ifname: "lo", ifindex: 1, mtu: 65_536 },
      { ifname: "veth0", ifindex: 4, link_index: 5, master: "cni0", mtu: 1400 },
    ];
    expect(growFarEnd(end, [...others, own])).toEqual(["link set eth0 mtu 1450"]);
    expect(growFarEnd(end, [...others, { ...own, mtu: 1500 }])).toEqual([]);
    expect(growFarEnd(end, [...others, { ...own, link_index: 13 }])).toEqual([]);
    const tap = { ifname: "v-aaaaaaaa", ifindex: 6, master: "b-aaaaaaaa", mtu: 1400 };
    expect(growFarEnd(end, [...others, { ...own, master: "b-aaaaaaaa" }, tap])).toEqual([
      ...["link set eth0 mtu 1450", "link set v-aaaaaaaa mtu 1450"],
    ]);
  });

  it("adds and removes addresses one by one", () => {
    const routerPlan = routedPlans(plan(), site)[0] as ReturnType<typeof routedPlans>[number];
    const at = (...addresses: string[]) =>
      addresses.map((local) => ({ family: "inet", local, prefixlen: local.endsWith(".10") ? 24 : 32 }));
    const observed = [{ ifname: "qg", flags: ["UP"], addr_info: at("172.24.64.10", "172.24.64.99") }];
    expect(addressCommands(routerPlan, observed, [])).toEqual([
      "address delete 172.24.64.99/32 dev qg",
      "address add 172.24.64.100/32 dev qg",
    ]);
  });

  it("removes routes of guests that are gone, not the kernel's", () => {
    const routes = [
      { dst: "10.0.0.5", dev: "t-aaaaaaaa" },
      { dst: "10.0.0.77", dev: "t-99999999" },
      { dst: "10.0.0.0/24", dev: "x", protocol: "kernel" },
    ];
    expect(addressCommands({ ...wanted(), routes: ["10.0.0.5/32 dev t-aaaaaaaa"] }, [], routes)).toEqual([
      "route delete 10.0.0.77 dev t-99999999",
      "route replace 10.0.0.5/32 dev t-aaaaaaaa",
    ]);
  });
});
