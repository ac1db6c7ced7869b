/** An address as text: the same for the same place, asked in the same way. `tls` tells whether the runtime there speaks TLS. */
export function addressText(address: string | { host: string; port: number; tls?: unknown }): string {
  return typeof address === "string" ? address : `${address.tls ? "tls" : "tcp"}://${address.host}:${address.port}`;
}
