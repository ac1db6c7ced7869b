/**
 * Which servers this machine's package managers and proxies talk to. A range chosen by `ip route` alone can hold a server that is
 * reached by the default route, and the new link would cut it off for every program of the machine. The parsers are pure.
 */

/** Host names and addresses in text that holds URLs: `http://proxy:3128`, `https://user:pw@host/path`. */
export function hostsInText(text: string): string[] {
  const hosts = new Set<string>();
  for (const match of text.matchAll(/\b(?:https?|socks[45]?h?|ftp):\/\/[^\s"'<>;,)]+/gi)) {
    const host = URL.parse(match[0])?.hostname;
    if (host) hosts.add(host);
  }
  return [...hosts];
}

/** Hosts in the proxy variables of an environment; they may be written without a scheme. */
export function hostsInEnvironment(env: NodeJS.ProcessEnv): string[] {
  const hosts = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !/(_proxy|index_url|registry|mirror|os_auth_url)$/i.test(name)) continue;
    if (/^no_proxy$/i.test(name)) continue;
    for (const host of hostsInText(value.includes("://") ? value : `http://${value}`)) hosts.add(host);
  }
  return [...hosts];
}

/** The addresses of `nameserver` lines. */
export function nameserversIn(resolvConf: string): string[] {
  return [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1] as string);
}

/** The addresses of an /etc/hosts file. */
export function addressesInHostsFile(text: string): string[] {
  return [...text.matchAll(/^\s*([0-9.]+)\s/gm)].map((match) => match[1] as string);
}
