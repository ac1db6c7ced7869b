import { Client } from "ssh2";

export interface SshTarget {
  host: string;
  username: string;
  /** OpenSSH form. */
  privateKey: string;
  /** The host keys that are taken, as base64. */
  hostKeys: string[];
}

/** The host keys that cloud-init wrote to the console, as base64. */
export function hostKeysIn(consoleLog: string): string[] {
  const block = /-----BEGIN SSH HOST KEY KEYS-----([\s\S]*)-----END SSH HOST KEY KEYS-----/.exec(consoleLog)?.[1] ?? "";
  return [...block.matchAll(/(?:ssh|ecdsa)-\S+ (\S+)/g)].map(([, key = ""]) => key);
}

/** Runs a command on a host and returns what it printed. @throws Error for another host key, a refused login, or a status other than 0 */
export function sshCommand({ host, username, privateKey, hostKeys }: SshTarget, command: string): Promise<string> {
  const client = new Client();
  const done = new Promise<string>((resolve, reject) => {
    client.once("error", reject);
    client.once("ready", () => {
      client.exec(command, (error, channel) => {
        if (error !== undefined) return reject(error);
        let out = "";
        let err = "";
        channel.setEncoding("utf8").on("data", (text: string) => {
          out += text;
        });
        channel.stderr.setEncoding("utf8").on("data", (text: string) => {
          err += text;
        });
        channel.once("close", (status: number | null) =>
          status === 0 ? resolve(out) : reject(new Error(`${command}: status ${status}: ${err}${out}`)),
        );
      });
    });
    client.connect({
      ...{ host, username, privateKey, readyTimeout: 20_000 },
      hostVerifier: (key: Buffer) => hostKeys.includes(key.toString("base64")),
    });
  });
  return done.finally(() => client.end());
}
