import { SlipwayError } from "../../../common/errors.ts";
import { canInstallPackages, missingHostPackages } from "../../host-packages.ts";
import { networkRuleset } from "../../network/linux/network-ruleset.ts";
import { routerRuleset } from "../../network/linux/router-ruleset.ts";
import { failureOf, firstObstacles, type Look, machineLevels, type Obstacle } from "./obstacles.ts";

/** What is in the way of real guests and is not mended by installing packages here; each is tried, in a scratch namespace. */
export function lastingObstacles(stateDir: string): Promise<Obstacle[]> {
  const missing: Look = async (folder) => ((await canInstallPackages()) ? [] : packages(folder));
  return firstObstacles([...machineLevels, missing], stateDir);
}

/** Everything that is in the way of real guests now: where there is nothing, they run. Takes about 0.3 s. */
export function guestObstacles(stateDir: string): Promise<Obstacle[]> {
  return firstObstacles([...machineLevels, packages, async () => [await rules()]], stateDir);
}

/** All of them in one line. */
export function reasonOf(obstacles: Obstacle[]): string {
  return `real guests cannot run here: ${obstacles.map(({ what }) => what).join("; ")}`;
}

/** The error for whoever asks for real guests all the same. */
export function guestsRefused(obstacles: Obstacle[]): SlipwayError {
  const [first] = obstacles;
  return new SlipwayError("E_HOST_PACKAGES", reasonOf(obstacles), {
    ...(first === undefined ? {} : { hint: first.remedy }),
    details: obstacles.slice(1).map(({ remedy }) => remedy),
  });
}

const packages: Look = async () => {
  const missing = await missingHostPackages();
  if (missing.length === 0) return [];
  const names = missing.map(({ name }) => name).join(" ");
  const install = (await canInstallPackages())
    ? `Run \`apt-get install --no-install-recommends ${names}\` as root.`
    : `Install what this system calls ${names}, or use Debian or Ubuntu.`;
  const reasons = missing.map(({ name, reason }) => `${name} (${reason})`);
  return [{ what: `packages are not installed: ${reasons.join(", ")}`, remedy: install }];
};

async function rules(): Promise<Obstacle | undefined> {
  const links = "ip link add veth0 type veth peer name veth1; ip link add br0 type bridge; nft -f -";
  const problem = await failureOf("unshare", ["--net", "sh", "-ec", links], sampleRuleset());
  if (problem === undefined) return undefined;
  return {
    what: `the guests' networks cannot be made (${problem})`,
    remedy: "Load the kernel's modules with `modprobe -a veth bridge nf_tables nft_chain_nat nft_ct`.",
  };
}

/** The rulesets that the data plane loads, with every kind of statement in them. */
function sampleRuleset(): string {
  const group = {
    id: "group",
    rules: [
      {
        direction: "ingress" as const,
        ethertype: "IPv4" as const,
        protocol: "tcp",
        portMin: 22,
        portMax: 22,
        remoteCidr: null,
        remoteGroupId: "group",
      },
    ],
  };
  const port = {
    id: "port",
    networkId: "net",
    mac: "fa:16:3e:00:00:01",
    fixedIps: ["10.0.0.5"],
    allowedAddresses: [],
    portSecurity: true,
    securityGroupIds: ["group"],
    serverId: "server",
    nic: 0,
  };
  const plan = { networks: [], routers: [], ports: [port], securityGroups: [group] };
  const router = {
    id: "router",
    externalIp: "192.0.2.5",
    enableSnat: true,
    interfaces: [],
    floatingIps: [{ floatingIp: "192.0.2.6", fixedIp: "10.0.0.5" }],
    portForwardings: [],
    routes: [],
  };
  return (
    networkRuleset(plan, "net", ["router"]) + routerRuleset(router, { cidr: "192.0.2.0/24", gatewayIp: "192.0.2.1" })
  );
}
