import { run } from "../../src/common/process.ts";

/** The GPUs and their driver, in a line. Throws where there is no nvidia-smi. */
export async function gpuLine(): Promise<string> {
  const lines = await ask("name,memory.total,driver_version");
  return lines.map(([name, memory, driver]) => `${name}, ${memory} MiB, driver ${driver}`).join("; ");
}

/** MiB of the first GPU's memory that are taken, by whomever. */
export async function takenMiB(): Promise<number> {
  const [first] = await ask("memory.used");
  return Number(first?.[0]);
}

async function ask(fields: string): Promise<string[][]> {
  const { stdout } = await run("nvidia-smi", [`--query-gpu=${fields}`, "--format=csv,noheader,nounits"], {
    env: process.env,
  });
  return stdout
    .trim()
    .split("\n")
    .map((line) => line.split(", "));
}
