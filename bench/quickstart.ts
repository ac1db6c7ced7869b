/**
 * `npm start` by phase: a warm first start (packages, image and payload are cached), a second one that changes nothing, a model's
 * redeployment, and the end. Prints a Markdown table; run it with the pinned Node: `node_modules/.bin/node bench/quickstart.ts [rounds]`.
 */
import { Slipway } from "../test/e2e/slipway.ts";
import { addSample, machineLine, type Samples, table } from "./report.ts";

const rounds = Number(process.argv[2] ?? 3);
const commands: [string, string[]][] = [
  ["start", ["quickstart"]],
  ["start again", ["quickstart"]],
  ["other model", ["up", "--model", "models/diabetes/development"]],
  ["stop", ["quickstart", "--stop"]],
];
const samples: Samples = new Map();

for (let round = 0; round < rounds; round++) {
  const slipway = await Slipway.create();
  try {
    for (const [name, args] of commands) {
      const start = performance.now();
      const { result } = await slipway.run(args);
      if (result?.ok !== true) throw new Error(`${name}: ${JSON.stringify(result)}`);
      addSample(samples, `**${name}**`, performance.now() - start);
      for (const [phase, ms] of Object.entries(result.timings as Record<string, number>)) {
        addSample(samples, `${name}: ${phase}`, ms);
      }
    }
  } finally {
    await slipway.remove();
  }
}

console.log(`${machineLine(rounds)}\n\n${table(samples, "ms")}`);
