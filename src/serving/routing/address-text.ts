/** An address as text: the same for the same place. */
export function addressText(address: string | { host: string; port: number }): string {
  return typeof address === "string" ? address : `tcp://${address.host}:${address.port}`;
}
