import { addSample, type Samples } from "../report.ts";
import type { Client } from "./client.ts";

/** Makes so many servers, one call after the other. @returns milliseconds in all */
export async function createServers(admin: Client, client: Client, count: number): Promise<number> {
  const quota = { quota_set: { instances: -1, cores: -1, ram: -1, key_pairs: 1000 } };
  await admin.make("PUT", `/compute/v2.1/os-quota-sets/${client.projectId}`, quota);
  const server = await serverFields(client);
  const begun = performance.now();
  for (let made = 0; made < count; made++) {
    await client.make("POST", "/compute/v2.1/servers", { server: { ...server, name: `bench-${made}` } });
  }
  return performance.now() - begun;
}

async function serverFields(client: Client): Promise<Record<string, unknown>> {
  const { images } = await client.make("GET", "/image/v2/images");
  const { flavors } = await client.make("GET", "/compute/v2.1/flavors");
  return { imageRef: images[0].id, flavorRef: flavors[0].id, networks: "none" };
}

/** How long each kind of call takes, asked one after the other. A kind's calls leave nothing behind. */
export async function measureCalls(client: Client, rounds: number): Promise<Samples> {
  const samples: Samples = new Map();
  const server = await serverFields(client);
  const { network } = await client.make("POST", "/network/v2.0/networks", { network: { name: "bench" } });
  const subnet = { network_id: network.id, ip_version: 4, cidr: "10.99.0.0/16" };
  await client.make("POST", "/network/v2.0/subnets", { subnet });
  const { networks } = await client.make("GET", "/network/v2.0/networks?name=public");
  const container = `/object-store/v1/AUTH_${client.projectId}/bench`;
  await client.ask("PUT", container);
  const [one] = (await client.make("GET", "/compute/v2.1/servers?limit=1")).servers;
  const content = new Uint8Array(1024);

  const timed = async (name: string, method: string, path: string, body?: unknown) => {
    const answer = await client.ask(method, path, body);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 300)}`);
    addSample(samples, name, answer.ms);
    return answer.text === "" ? undefined : parsed(answer.text);
  };
  for (let round = 0; round < rounds; round++) {
    const auth = {
      identity: { methods: ["token"], token: { id: client.token } },
      scope: { project: { id: client.projectId } },
    };
    await timed("log in with a token", "POST", "/identity/v3/auth/tokens", { auth });
    await timed("catalogue", "GET", "/identity/v3/auth/catalog");
    await timed("list flavors", "GET", "/compute/v2.1/flavors/detail");
    await timed("list images", "GET", "/image/v2/images");
    await timed("show a server", "GET", `/compute/v2.1/servers/${one.id}`);
    await timed("list 20 servers of 1,000", "GET", "/compute/v2.1/servers/detail?limit=20");
    const made = await timed("create a server", "POST", "/compute/v2.1/servers", {
      server: { ...server, name: "one" },
    });
    await timed("delete a server", "DELETE", `/compute/v2.1/servers/${made.server.id}`);
    const port = await timed("create a port", "POST", "/network/v2.0/ports", { port: { network_id: network.id } });
    await timed("show a port", "GET", `/network/v2.0/ports/${port.port.id}`);
    await timed("list ports", "GET", "/network/v2.0/ports");
    await timed("delete a port", "DELETE", `/network/v2.0/ports/${port.port.id}`);
    const address = { floatingip: { floating_network_id: networks[0].id } };
    const floating = await timed("create a floating IP", "POST", "/network/v2.0/floatingips", address);
    await timed("delete a floating IP", "DELETE", `/network/v2.0/floatingips/${floating.floatingip.id}`);
    const group = await timed("create a security group", "POST", "/network/v2.0/security-groups", {
      security_group: { name: "bench" },
    });
    await timed("delete a security group", "DELETE", `/network/v2.0/security-groups/${group.security_group.id}`);
    const volume = await timed("create a volume", "POST", "/volume/v3/volumes", { volume: { size: 1 } });
    await timed("list volumes", "GET", "/volume/v3/volumes/detail");
    await untilAvailable(client, volume.volume.id);
    await timed("delete a volume", "DELETE", `/volume/v3/volumes/${volume.volume.id}`);
    await timed("write an object of 1 KiB", "PUT", `${container}/one`, content);
    await timed("read an object of 1 KiB", "GET", `${container}/one`);
    await timed("list objects", "GET", `${container}?format=json`);
    await timed("delete an object", "DELETE", `${container}/one`);
  }
  return samples;
}

async function untilAvailable(client: Client, id: string): Promise<void> {
  for (let look = 0; look < 200; look++) {
    if ((await client.make("GET", `/volume/v3/volumes/${id}`)).volume.status === "available") return;
  }
  throw new Error(`volume ${id} does not become available`);
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
function parsed(text: string): any {
  return text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : undefined;
}
