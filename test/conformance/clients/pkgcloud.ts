import { createRequire } from "node:module";
import pkgcloudPackage from "pkgcloud";
import type { Client, Surroundings } from "../run-client.ts";

type Callback = (error?: unknown, made?: unknown) => void;

/** A client of one service: pkgcloud brings no types, and what is called here is more than the product uses. */
type Service = Record<string, (...parameters: unknown[]) => void>;

/** What a call made: all that pkgcloud's answers have in common. */
interface Made {
  id?: string;
  name?: string;
}

const { version } = createRequire(import.meta.url)("pkgcloud/package.json") as { version: string };

/** The library that Slipway itself speaks by, here with a login of its own. Its volumes are those of Cinder v2, which no cloud has any more. */
export const pkgcloud: Client = {
  name: "pkgcloud",
  ensure: async () => ({ version: `pkgcloud@${version}` }),
  run: (surroundings) => tour(surroundings),
};

async function tour({ login, begin, end, imageId, offersObjects }: Surroundings): Promise<void> {
  const service = (name: string, options: object = {}) => {
    const factory = (pkgcloudPackage as unknown as Record<string, { createClient(options: object): Service }>)[name];
    if (factory === undefined) throw new Error(`pkgcloud has no ${name}`);
    return factory.createClient({
      ...{ provider: "openstack", authUrl: login.authUrl.replace(/\/v3$/, ""), region: "RegionOne" },
      ...{ keystoneAuthVersion: "v3", domainId: "default", projectDomainId: "default", ...options },
      ...{ username: login.username, password: login.password, tenantName: login.projectName },
    });
  };
  const call = async (client: Service, method: string, ...parameters: unknown[]): Promise<Made> => {
    await begin([method, ...parameters.map((parameter) => shown(parameter))].join(" "));
    return new Promise((resolve) => {
      const callback: Callback = (error, made) => {
        end(error ? "refused" : "ok");
        resolve((made ?? {}) as Made);
      };
      client[method]?.(...parameters, callback);
    });
  };

  const [compute, network] = [service("compute"), service("network")];
  await call(compute, "getFlavors");
  await call(compute, "getFlavor", "conformance");
  await call(compute, "getImages");
  await call(compute, "getImage", imageId);

  const net = await call(network, "createNetwork", { name: "net", adminStateUp: true });
  await call(network, "getNetworks");
  await call(network, "getNetwork", net.id);
  await call(network, "updateNetwork", { id: net.id, name: "net2" });
  const subnet = { name: "sub", networkId: net.id, cidr: "10.77.0.0/24", ip_version: 4 };
  const sub = await call(network, "createSubnet", subnet);
  await call(network, "getSubnets");
  await call(network, "getSubnet", sub.id);
  const group = await call(network, "createSecurityGroup", { name: "web", description: "first" });
  const rule = { securityGroupId: group.id, direction: "ingress", ethertype: "IPv4", protocol: "tcp" };
  const made = await call(network, "createSecurityGroupRule", { ...rule, portRangeMin: 80, portRangeMax: 80 });
  await call(network, "getSecurityGroupRule", made.id);
  await call(network, "getSecurityGroups");
  await call(network, "destroySecurityGroupRule", made.id);
  const port = await call(network, "createPort", {
    name: "port",
    networkId: net.id,
    fixedIps: [{ ip_address: "10.77.0.20" }],
  });
  await call(network, "getPort", port.id);
  await call(network, "updatePort", { id: port.id, name: "port2" });
  await call(network, "getPorts");

  await call(compute, "addKey", { name: "made" });
  await call(compute, "listKeys");
  const asked = { name: "web", image: imageId, flavor: "conformance", keyname: "made", networks: [{ port: port.id }] };
  const server = await call(compute, "createServer", { ...asked, metadata: { role: "web" } });
  await call(compute, "getServers");
  await call(compute, "getServer", server.id);
  await call(compute, "getServerAddresses", server.id);
  await call(compute, "rebootServer", server.id, { type: "HARD" });
  await call(compute, "stopServer", server.id);
  await call(compute, "startServer", server.id);
  await call(compute, "renameServer", server.id, "web2");
  await call(compute, "resizeServer", server.id, "conformance-large");
  await call(compute, "confirmServerResize", server.id);

  await call(compute, "destroyServer", server.id);
  await call(compute, "getServer", server.id);
  await call(compute, "destroyKey", "made");
  await call(network, "destroyPort", port.id);
  await call(network, "destroySubnet", sub.id);
  await call(network, "destroyNetwork", net.id);
  await call(network, "destroySecurityGroup", group.id);
  if (!offersObjects) return;

  const storage = service("storage");
  await call(storage, "createContainer", { name: "box", metadata: { kind: "tour" } });
  await call(storage, "getContainers");
  await call(storage, "getContainer", "box");
  await call(storage, "getFiles", "box");
  await call(storage, "destroyContainer", "box");
}

/** The same on every cloud: ids are left out. */
function shown(parameter: unknown): string {
  if (typeof parameter !== "object") return isId(parameter) ? "" : String(parameter);
  return JSON.stringify(parameter, (_, value: unknown) => (isId(value) ? undefined : value));
}

function isId(value: unknown): boolean {
  return value === undefined || (typeof value === "string" && /^[0-9a-f-]{32,36}$/.test(value));
}
