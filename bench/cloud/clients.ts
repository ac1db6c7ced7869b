import type { Client } from "./client.ts";

export interface Load {
  answers: number;
  /** What went wrong, a line each. */
  errors: string[];
  /** Milliseconds. */
  times: number[];
}

/** So many clients at once, each asking one thing after the other as a program of its own would; each has a connection of its own. */
export async function loadOf(client: Client, clients: number, seconds: number): Promise<Load> {
  const load: Load = { answers: 0, errors: [], times: [] };
  const end = performance.now() + seconds * 1000;
  const container = `/object-store/v1/AUTH_${client.projectId}/load`;
  await client.ask("PUT", container);
  const { servers } = await client.make("GET", "/compute/v2.1/servers?limit=100");
  const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
    try {
      const answer = await client.ask(method, path, body);
      load.answers += 1;
      load.times.push(answer.ms);
      if (answer.status >= 400) load.errors.push(`${method} ${path}: ${answer.status} ${answer.text.slice(0, 200)}`);
      return answer.text;
    } catch (error) {
      load.errors.push(`${method} ${path}: ${error instanceof Error ? error.message : error}`);
      return "";
    }
  };
  const live = async (number: number): Promise<void> => {
    for (let turn = 0; performance.now() < end; turn++) {
      await ask("GET", `/compute/v2.1/servers/${servers[(number + turn) % servers.length].id}`);
      await ask("GET", "/image/v2/images");
      await ask("GET", "/network/v2.0/networks");
      await ask("GET", "/volume/v3/volumes/detail?limit=10");
      await ask("PUT", `${container}/${number}`, new Uint8Array(512));
      await ask("GET", `${container}/${number}`);
      const made = await ask("POST", "/compute/v2.1/os-keypairs", {
        keypair: { name: `load-${number}`, type: "ssh", public_key: publicKey },
      });
      if (made !== "") await ask("DELETE", `/compute/v2.1/os-keypairs/load-${number}`);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => live(number)));
  return load;
}

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench";
