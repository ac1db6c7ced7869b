import { describe, expect, it } from "vitest";
import { bridgeCommands } from "../../../src/cloud/hypervisors/qemu/tap-network.ts";
import { createUserNetwork } from "../../../src/cloud/hypervisors/qemu/user-network.ts";
import type { NetworkingPlan } from "../../../src/cloud/network/dataplane.ts";

const nic = { portId: "0a1b2c3d-0000-4000-8000-000000000000", networkId: "net", mac: "fa:16:3e:00:00:01", mtu: 1450 };
const spec = {
  ...{ id: "server", hostname: "web", imageId: "image", vcpus: 1, ramMb: 512, diskGb: 1, nics: [nic] },
  ...{ disks: [], configDrive: {} },
};
const plan = (address: string, gatewayIp: string | null): NetworkingPlan => ({
  networks: [{ id: "net", mtu: 1450, subnets: [{ id: "subnet", cidr: "10.1.0.0/24", gatewayIp }] }],
  ports: [
    {
      ...{ id: nic.portId, networkId: "net", mac: nic.mac, fixedIps: [address], allowedAddresses: [] },
      ...{ portSecurity: true, securityGroupIds: [], serverId: "server", nic: 0 },
    },
  ],
  ...{ routers: [], securityGroups: [] },
});

describe("QEMU's own network", () => {
  it("is the subnet of the port, closed, and takes no address that a guest may have", async () => {
    const network = await createUserNetwork("abcdef");
    await network.apply(plan("10.1.0.3", "10.1.0.1"));
    expect(await network.plug(spec)).toEqual({
      within: [],
      nics: [
        {
          ...{ portId: nic.portId, mac: nic.mac },
          backend: "user,restrict=on,ipv6=off,net=10.1.0.0/24,host=10.1.0.1,dhcpstart=10.1.0.3,dns=10.1.0.255",
        },
      ],
    });
  });

  it("needs an address in a subnet with a gateway", async () => {
    const network = await createUserNetwork("abcdef");
    await network.apply(plan("10.1.0.3", null));
    await expect(network.plug(spec)).rejects.toThrow("is in a subnet without a gateway");
    await network.apply(plan("10.2.0.3", "10.1.0.1"));
    await expect(network.plug(spec)).rejects.toThrow("has no IPv4 address");
  });
});

describe("a tap in a guest's namespace", () => {
  const link = { ifname: "ens3", address: nic.mac };

  it("is bridged with the data plane's link, which gives its address to the guest", () => {
    expect(bridgeCommands(nic, [link])).toEqual([
      "link add b-0a1b2c3d type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
      "tuntap add dev v-0a1b2c3d mode tap vnet_hdr",
      "link set ens3 address fe:16:3e:00:00:01 master b-0a1b2c3d",
      "link set ens3 up",
      "link set v-0a1b2c3d mtu 1450 master b-0a1b2c3d",
      "link set v-0a1b2c3d up",
      "link set b-0a1b2c3d up",
    ]);
  });

  it("is kept at the next boot, also beside a link that was made anew", () => {
    const kept = [{ ifname: "b-0a1b2c3d" }, { ifname: "v-0a1b2c3d" }];
    const again = bridgeCommands(nic, [...kept, { ifname: "ens3", address: "fe:16:3e:00:00:01" }]);
    expect(again.filter((line) => line.includes(" add ") || line.includes("ens3"))).toEqual([]);
    expect(bridgeCommands(nic, [...kept, link])).toContain("link set ens3 address fe:16:3e:00:00:01 master b-0a1b2c3d");
  });
});
