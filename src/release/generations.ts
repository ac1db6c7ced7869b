import { join } from "node:path";
import { writeFileAtomic } from "../common/files.ts";
import { GENERATIONS_FILE, type GenerationHost, type Generations, hostOf } from "../components/generations.ts";

/** Remembers which generations of a stack's hosts live; from here on the program declares exactly these. */
export async function writeGenerations(stackHome: string, record: Generations): Promise<Generations> {
  await writeFileAtomic(join(stackHome, GENERATIONS_FILE), `${JSON.stringify(record, null, 2)}\n`);
  return record;
}

/** The record of a stack whose first hosts serve. */
export function firstGeneration(host: GenerationHost): Generations {
  const { number, frontendPort } = host;
  return { schemaVersion: 1, live: number, highest: number, firstPort: frontendPort, hosts: [host] };
}

/** With one more host; one of the same number is made anew. */
export function withGeneration(record: Generations, host: GenerationHost): Generations {
  const others = record.hosts.filter(({ number }) => number !== host.number);
  const hosts = [...others, host].sort((one, other) => one.number - other.number);
  return { ...record, highest: Math.max(record.highest, host.number), hosts };
}

/** With those hosts alone. */
export function onlyGenerations(record: Generations, numbers: readonly number[]): Generations {
  return { ...record, hosts: record.hosts.filter(({ number }) => numbers.includes(number)) };
}

/** With another host that the address leads to. */
export function withLive(record: Generations, number: number): Generations {
  return { ...record, live: hostOf(record, number).number };
}
