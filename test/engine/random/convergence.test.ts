import { cpSync, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createEmbeddedEngine } from "../../../src/engine/embedded/embedded-engine.ts";
import type { Engine, StackReference } from "../../../src/engine/engine.ts";
import { inlineProgram } from "../support/inline-program.ts";
import {
  givenName,
  inlineResource,
  type RandomProgram,
  type RandomRun,
  randomHistory,
  randomProgram,
  type Wanted,
} from "./programs.ts";
import { stateProblems } from "./state-problems.ts";
import { ToyCloud, toyProvider } from "./toy-cloud.ts";

/** How many histories are tried; more for a long look: SLIPWAY_PROPERTY_RUNS=2000. */
const numRuns = Number(process.env.SLIPWAY_PROPERTY_RUNS ?? 40);

/** A history that takes longer than this hangs, milliseconds. */
const patienceMs = 60_000;

/** The key of this salt is derived once for all runs. */
const salt = "v1:lYQ6OZXLdQg=:v1:psFVGCCsrKeFVnrF:n1UJawilLeB2odKwWEEoshJnMg2hOA==";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "slipway-random-"));
  await writeFile(join(folder, "Pulumi.yaml"), "name: random\nruntime: nodejs\n");
  await writeFile(join(folder, "Pulumi.dev.yaml"), `encryptionsalt: ${salt}\n`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A stack over its life: kills leave what was on disk and in the cloud at that moment. */
class Life {
  cloud = new ToyCloud();
  #state: string;
  #generation = 0;
  readonly #home: string;

  private constructor(home: string) {
    this.#home = home;
    this.#state = join(home, "0");
  }

  static async begin(): Promise<Life> {
    return new Life(await mkdtemp(join(folder, "life-")));
  }

  get #checkpoint(): string {
    return join(this.#state, ".pulumi/stacks/random/dev.json");
  }

  #engine(program: RandomProgram): Engine {
    const { cloud } = this;
    return createEmbeddedEngine({
      providers: (name) => (name === "toy" ? toyProvider(cloud) : undefined),
      launch: inlineProgram(program.map(inlineResource)),
    });
  }

  get #stack(): StackReference {
    const backendUrl = `file://${this.#state}`;
    return { projectRoot: folder, project: "random", stack: "dev", backendUrl, passphrase: "open sesame" };
  }

  /** A run that may fail or be killed. */
  async run({ program, faults, parallel }: RandomRun): Promise<void> {
    this.cloud.begin(new Map(faults));
    let after: { cloud: ToyCloud; state: string } | undefined;
    this.cloud.onKill = () => {
      const state = join(this.#home, String(++this.#generation));
      if (existsSync(this.#state)) cpSync(this.#state, state, { recursive: true });
      after = { cloud: this.cloud.copy(), state };
    };
    await this.#engine(program)
      .up(this.#stack, { parallel })
      .catch(() => undefined);
    if (after !== undefined) {
      this.cloud = after.cloud;
      this.#state = after.state;
      // Its process lives on here, where it would be gone: the lock of a living one is respected.
      await rm(join(this.#state, ".pulumi/locks"), { recursive: true, force: true });
    }
    expect(await this.stateProblems()).toEqual([]);
  }

  /** A run that nothing disturbs: it must succeed. Returns its changing calls. */
  async runWell(program: RandomProgram): Promise<string[]> {
    this.cloud.begin(new Map());
    await this.#engine(program).up(this.#stack, { parallel: 4 });
    return this.cloud.calls;
  }

  async destroy(): Promise<void> {
    this.cloud.begin(new Map());
    await this.#engine([]).destroy(this.#stack);
  }

  async stateProblems(): Promise<string[]> {
    if (!existsSync(this.#checkpoint)) return [];
    return stateProblems(JSON.parse(await readFile(this.#checkpoint, "utf8")));
  }

  async pendingOperations(): Promise<unknown> {
    return JSON.parse(await readFile(this.#checkpoint, "utf8")).checkpoint.latest.pending_operations;
  }

  async end(): Promise<void> {
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** The cloud in the program's words: each object by its logical name. */
function cloudInWords(cloud: ToyCloud) {
  const logical = (name: string) => name.replace(/-[0-9a-f]{7}$/, "");
  const nameOf = (id: string) => logical(cloud.objects.get(id)?.name ?? `nothing (${id})`);
  return [...cloud.objects.values()]
    .map(({ name, value, fixed, takes, broken }) => ({
      name: logical(name),
      isGiven: logical(name) === name,
      value,
      fixed,
      takes: takes.map(nameOf),
      broken,
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
}

function programInWords(program: RandomProgram) {
  const inCloud = (wanted: Wanted) => (wanted.hasGivenName ? givenName(wanted) : wanted.name);
  const byName = new Map(program.map((wanted) => [wanted.name, inCloud(wanted)]));
  return program
    .map((wanted) => ({
      name: inCloud(wanted),
      isGiven: wanted.hasGivenName,
      value: wanted.value,
      fixed: wanted.fixed,
      takes: wanted.takes.map((name) => byName.get(name) ?? ""),
      broken: false,
    }))
    .sort((one, other) => one.name.localeCompare(other.name));
}

const plain = (name: string, value = 1): Wanted => ({
  ...{ name, value, fixed: 1, hasGivenName: false, takes: [], after: [] },
  ...{ component: undefined, deleteBeforeReplace: undefined },
});
const runOf = (program: RandomProgram, ...faults: RandomRun["faults"]): RandomRun => ({ program, faults, parallel: 1 });

/** A deletion and a change were done, but the run did not learn of it, and then the program wants back what was. */
const wantedBack: [RandomRun[], RandomProgram][] = (["answer lost", "killed after"] as const).flatMap((fault) => [
  [
    [runOf([plain("ada"), plain("bob")]), runOf([plain("ada")], [0, fault])],
    [plain("ada"), plain("bob")],
  ],
  [[runOf([plain("ada", 1)]), runOf([plain("ada", 2)], [0, fault])], [plain("ada", 1)]],
]);

const given = (name: string): Wanted => ({ ...plain(name), hasGivenName: true });

/**
 * A name was given and taken away in a run that failed before its deletions: what holds the name is still there when it is given
 * again, also where that run went no further than the deletion of what it replaces.
 */
const namedAgain: [RandomRun[], RandomProgram][] = (
  [[], [[0, "killed after"]], [[1, "killed before"]], [[1, "refused"]]] as RandomRun["faults"][]
).map((faults) => [
  [runOf([given("bob")]), runOf([plain("bob"), plain("ada")], [1, "refused"]), runOf([given("bob")], ...faults)],
  [given("bob")],
]);

/** Found once, and rare. */
const examples = [...wantedBack, ...namedAgain];

it("whatever was edited, failed and was killed: the next good run makes the cloud equal the program, and destroy leaves nothing", {
  timeout: 60_000 + numRuns * 10_000,
}, async () => {
  await mkdir(folder, { recursive: true });
  await fc.assert(
    fc.asyncProperty(randomHistory, randomProgram, async (history, last) => {
      const life = await Life.begin();
      try {
        for (const run of history) await life.run(run);
        await life.runWell(last);
        expect(cloudInWords(life.cloud)).toEqual(programInWords(last));
        expect(await life.stateProblems()).toEqual([]);
        expect(await life.pendingOperations()).toBeUndefined();
        expect(await life.runWell(last)).toEqual([]);
        await life.destroy();
        expect([...life.cloud.objects.values()]).toEqual([]);
      } finally {
        await life.end();
      }
    }),
    { numRuns, timeout: patienceMs, examples },
  );
});
