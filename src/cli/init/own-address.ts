import { createSocket } from "node:dgram";

/**
 * From where this machine reaches a server, as an IPv4 address: what the server sees where nothing translates addresses in between.
 * Nothing is sent. Undefined where there is no such way.
 */
export function ownAddressTowards(url: string): Promise<string | undefined> {
  const { hostname, port, protocol } = new URL(url);
  const socket = createSocket("udp4");
  return new Promise((resolve) => {
    const answer = (address: string | undefined) => {
      socket.close();
      resolve(address);
    };
    socket.once("error", () => answer(undefined));
    socket.once("connect", () => answer(socket.address().address));
    socket.connect(Number(port) || (protocol === "https:" ? 443 : 80), hostname);
  });
}
