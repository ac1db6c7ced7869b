import { lookup } from "node:dns/promises";
import { BlockList, isIPv6 } from "node:net";

/** How many redirects are followed. */
const maxRedirects = 5;

/** Link-local addresses: there the machine's own cloud tells its secrets, and this cloud fetches as the machine. */
const offLimits = new BlockList();
offLimits.addSubnet("169.254.0.0", 16, "ipv4");
offLimits.addSubnet("fe80::", 10, "ipv6");

/** Whether content may be fetched from the address: Glance's `allowed_schemes`. */
export function passesFiltering(uri: string): boolean {
  return URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol);
}

/** Opens an address for reading, by its redirects. @throws Error for any answer but success, and where it may not be fetched from */
export async function openDownload(uri: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  let url = new URL(uri);
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    await demandAllowed(url);
    const answer = await fetch(url, { signal, redirect: "manual" });
    const next = answer.headers.get("location");
    if (answer.status >= 300 && answer.status < 400 && next !== null) {
      await answer.body?.cancel();
      url = new URL(next, url);
      continue;
    }
    if (!answer.ok || answer.body === null) throw new Error(`${url} answered ${answer.status}`);
    return answer.body;
  }
  throw new Error(`${uri} redirects more than ${maxRedirects} times`);
}

async function demandAllowed(url: URL): Promise<void> {
  if (!passesFiltering(url.href)) throw new Error(`${url.protocol} is not fetched from`);
  const found = await lookup(url.hostname.replace(/^\[|\]$/g, ""), { all: true });
  const refused = found.find(({ address }) => offLimits.check(address, isIPv6(address) ? "ipv6" : "ipv4"));
  if (refused !== undefined) throw new Error(`${url.host} is the link-local address ${refused.address}`);
}
