import { existsSync } from "node:fs";

/** Where the scripts of pages lie, which browsers get as they are: beside the bundle on a host, else beside the sources. Ends with `/`. */
export function clientFolder(): URL {
  const beside = new URL("./web/client/", import.meta.url);
  return existsSync(beside) ? beside : new URL("../../web/client/", import.meta.url);
}
