import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeKeyPair } from "../../../src/remote/key-pair.ts";
import type { OpenstackClient } from "../../conformance/openstack-client.ts";
import { connectTo } from "../../support/tcp.ts";
import type { SmokeCloud } from "./clouds.ts";
import { hostKeysIn, sshCommand } from "./ssh.ts";

/** The page at 8088, which a rule opens, and at 6380, which none does. */
const userData = `#cloud-config
write_files:
- path: /srv/www/index.html
  content: "hello from the guest\\n"
runcmd:
- [systemd-run, --unit=www, --working-directory=/srv/www, python3, -m, http.server, "8088"]
- [systemd-run, --unit=hidden, --working-directory=/srv/www, python3, -m, http.server, "6380"]
`;

/** One run of the steps: the client, the names, and what the answers gave so far. */
export class Smoke {
  readonly #client: OpenstackClient;
  readonly #user: string;
  readonly #privateKey: string;
  /** What stands for the placeholders in commands and patterns. */
  readonly #values: Map<string, string>;

  private constructor(client: OpenstackClient, user: string, privateKey: string, values: Map<string, string>) {
    this.#client = client;
    this.#user = user;
    this.#privateKey = privateKey;
    this.#values = values;
  }

  /** @param folder for the run's files: key and user-data */
  static async prepare(client: OpenstackClient, cloud: SmokeCloud, folder: string): Promise<Smoke> {
    const keys = makeKeyPair();
    const files = { publicKey: join(folder, "key.pub"), userData: join(folder, "user-data") };
    await writeFile(files.publicKey, `${keys.public} smoke\n`);
    await writeFile(files.userData, userData);
    const { image, flavor, external, user } = cloud;
    const names = { name: `smoke-${process.pid}`, fingerprint: fingerprintOf(keys.public), image, flavor, external };
    return new Smoke(client, user, keys.private, new Map(Object.entries({ ...files, ...names })));
  }

  keep(name: string, value: string): void {
    this.#values.set(name, value);
  }

  /** The text with its placeholders filled in. */
  filled(text: string): string {
    return text.replace(/\{([a-zA-Z]+)\}/g, (_, name: string) => this.#value(name));
  }

  /** The pattern with its placeholders filled in, each as the text that it is. */
  filledPattern({ source, flags }: RegExp): RegExp {
    const literal = (name: string) => this.#value(name).replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    return new RegExp(
      source.replace(/\{([a-zA-Z]+)\}/g, (_, name: string) => literal(name)),
      flags,
    );
  }

  #value(name: string): string {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`no earlier step gave {${name}}`);
    return value;
  }

  /** Runs an `openstack` command line, which must succeed. */
  async openstack(line: string): Promise<string> {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => this.filled(quoted ?? word ?? ""));
    return (await this.#client.ok(...words)).stdout;
  }

  async page(port: number): Promise<string> {
    const address = `http://${this.#value("address")}:${port}/`;
    return (await fetch(address, { signal: AbortSignal.timeout(2000) })).text();
  }

  /** Runs a command in the guest, by a login with the keypair. Only a host key that the guest's console log shows is taken. */
  async ssh(command: string): Promise<string> {
    const hostKeys = hostKeysIn(await this.openstack("console log show {name}"));
    return sshCommand(
      { host: this.#value("address"), username: this.#user, privateKey: this.#privateKey, hostKeys },
      command,
    );
  }

  connect(port: number): ReturnType<typeof connectTo> {
    return connectTo(this.#value("address"), port, 3000);
  }
}

/** MD5 of the key, as Nova shows it. */
function fingerprintOf(publicKey: string): string {
  const blob = Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
  return createHash("md5").update(blob).digest("hex").match(/../g)?.join(":") ?? "";
}
