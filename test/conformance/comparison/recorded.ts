import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Call, Exchange } from "./recorder.ts";

/** What a real cloud answered a client, normalised. */
export interface Recorded {
  /** The day, `2026-11-26`. */
  day: string;
  /** The client's version. */
  client: string;
  /** The newest version of each API. */
  cloud: Record<string, string>;
  calls: Call[];
}

const fileOf = (client: string) => fileURLToPath(new URL(`../fixtures/${client}.json`, import.meta.url));

/** Reads what a real cloud answered. */
export async function readRecorded(client: string): Promise<Recorded> {
  const { exchanges, calls, ...rest } = JSON.parse(await readFile(fileOf(client), "utf8")) as Stored;
  return {
    ...rest,
    calls: calls.map(({ asked, ...call }) => ({ ...call, exchanges: asked.map((n) => exchanges[n] as Exchange) })),
  };
}

/** Keeps it for runs where no real cloud is at hand: each exchange once, a line each. */
export async function writeRecorded(client: string, { calls, ...rest }: Recorded): Promise<void> {
  const lines = new Map<string, number>();
  const numberOf = (exchange: Exchange) => {
    const line = JSON.stringify(exchange);
    const number = lines.get(line) ?? lines.size;
    lines.set(line, number);
    return number;
  };
  const stored = calls.map(({ exchanges, ...call }) =>
    JSON.stringify({ ...call, asked: lastOfEach(exchanges).map(numberOf) }),
  );
  const head = JSON.stringify(rest).slice(0, -1);
  const text = `${head},\n"exchanges":[\n${[...lines.keys()].join(",\n")}\n],\n"calls":[\n${stored.join(",\n")}\n]}\n`;
  await writeFile(fileOf(client), text);
}

interface Stored extends Omit<Recorded, "calls"> {
  exchanges: Exchange[];
  /** `asked` are places in `exchanges`. */
  calls: (Omit<Call, "exchanges"> & { asked: number[] })[];
}

/** Questions that were asked until the answer was another one: how often is chance. */
function lastOfEach(exchanges: Exchange[]): Exchange[] {
  return exchanges.filter(
    ({ request }, n) =>
      !/^(GET|HEAD) /.test(request) || !exchanges.slice(n + 1).some((later) => later.request === request),
  );
}
