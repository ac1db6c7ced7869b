import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { netnsFolder } from "../../../src/cloud/network/linux/netns.ts";
import { run } from "../../../src/common/process.ts";

/** Answers every TCP connection at a port with the caller's address. */
const server = `import socket, sys
s = socket.create_server(("", int(sys.argv[1])))
print("listening", flush=True)
while True:
    c, (ip, _) = s.accept()
    c.sendall(ip.encode()); c.close()
`;

/** The same by IPv6. */
const server6 = server
  .replace('("", int(sys.argv[1]))', '("::", int(sys.argv[1])), family=socket.AF_INET6')
  .replace("(ip, _)", "(ip, *_)");

const client = `import socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=float(sys.argv[3]))
    print(s.recv(99).decode())
except TimeoutError: print("timeout")
except OSError as e: print("refused", e.errno)
`;

/** In a guest's place: processes in its network namespace with the address that cloud-init would give it. For tests of networks alone. */
export function standIn(namespace: string, ip: string, gatewayIp: string) {
  const children: ChildProcess[] = [];
  const inside = (...words: string[]) => ["nsenter", [`--net=${netnsFolder}/${namespace}`, ...words]] as const;
  async function serve(program: string, port: number): Promise<void> {
    const child = spawn(...inside("python3", "-c", program, String(port)), { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  }
  return {
    ip: (...commands: string[]) => run("ip", ["-n", namespace, "-batch", "-"], { input: `${commands.join("\n")}\n` }),
    async start(port: number) {
      await this.ip(
        "link set dev lo up",
        "link set dev ens3 up",
        `address replace ${ip}/24 dev ens3`,
        `route replace default via ${gatewayIp}`,
      );
      await serve(server, port);
    },
    /** Answers at a port by IPv6, with whatever addresses the namespace has. */
    serve6: (port: number) => serve(server6, port),
    /** What a server says, "timeout", or "refused <errno>". */
    async ask(address: string, port: number, timeoutSeconds = 1) {
      const [command, args] = inside("python3", "-c", client, address, String(port), String(timeoutSeconds));
      return (await run(command, [...args])).stdout.trim();
    },
    /** What an HTTP address answers, or "refused". */
    async fetch(address: string) {
      const [command, args] = inside("curl", "--silent", "--max-time", "5", address);
      return run(command, [...args]).then(
        ({ stdout }) => stdout,
        () => "refused",
      );
    },
    stop() {
      for (const child of children) child.kill("SIGKILL");
    },
  };
}

/** The same question, asked from the machine itself. */
export async function askFromMachine(address: string, port: number): Promise<string> {
  return (await run("python3", ["-c", client, address, String(port), "1"])).stdout.trim();
}
