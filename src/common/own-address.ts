import { networkInterfaces } from "node:os";

/** The machine's first IPv4 address that others can reach; undefined where it has none. */
export function ownAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}
