import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import {
  InitializationFailed,
  type PropertyMap,
  type ResourceIdentity,
  type ResourceProvider,
  unknown,
} from "../../../src/engine/resource-provider.ts";

/** One object of the toy cloud. */
export interface ToyObject {
  id: string;
  name: string;
  value: number;
  fixed: number;
  /** Ids of the objects that it hangs from: they cannot be deleted before it. */
  takes: string[];
  /** The last change of it was cut short: it is not what it should be. */
  broken: boolean;
}

/** What goes wrong with one call. */
export type Fault = "refused" | "half done" | "answer lost" | "killed before" | "killed after";

/** Thrown where the answer to a call was lost on the way. */
class AnswerLost extends Error {
  override readonly name = "AnswerLost";
}

/** The engine's process is taken to be dead from here on: nothing that it still does counts. */
class Killed extends Error {
  override readonly name = "Killed";
}

/**
 * A strict cloud: names are unique, what is in use cannot be deleted, what is named must exist. An engine that works in a wrong
 * order, makes something twice or forgets something is told so by a refusal.
 */
export class ToyCloud {
  objects = new Map<string, ToyObject>();
  /** Faults by the number of the changing call. */
  faults = new Map<number, Fault>();
  /** Changing calls of this run. */
  calls: string[] = [];
  /** Runs at the moment of a kill, before anything else can happen. */
  onKill: () => void = () => undefined;
  #dead = false;
  #count = 0;

  begin(faults: Map<number, Fault>): void {
    this.faults = faults;
    this.calls = [];
    this.#count = 0;
    this.#dead = false;
  }

  copy(): ToyCloud {
    const copy = new ToyCloud();
    copy.objects = new Map([...this.objects].map(([id, object]) => [id, structuredClone(object)]));
    return copy;
  }

  /** @returns how the call is to end although it has taken effect */
  async change(call: string, effect: () => void): Promise<"well" | "half done"> {
    const fault = this.faults.get(this.#count++);
    await sleep(this.#count % 3);
    this.#assertAlive();
    if (fault === "refused") throw new Error(`503 for ${call}`);
    if (fault === "killed before") this.#kill();
    effect();
    this.calls.push(call);
    if (fault === "killed after") this.#kill();
    if (fault === "answer lost") throw new AnswerLost(`no answer to ${call}`);
    return fault === "half done" ? "half done" : "well";
  }

  #kill(): void {
    this.onKill();
    this.#dead = true;
    this.#assertAlive();
  }

  #assertAlive(): void {
    if (this.#dead) throw new Killed("the process is dead");
  }

  /** @throws Error where a real cloud would answer 400 or 409 */
  put(object: ToyObject): void {
    for (const id of object.takes) if (!this.objects.has(id)) throw new Error(`400: there is no ${id}`);
    const rival = [...this.objects.values()].find(({ name, id }) => name === object.name && id !== object.id);
    if (rival !== undefined) throw new Error(`409: the name ${object.name} is taken`);
    this.objects.set(object.id, object);
  }

  drop(id: string): void {
    const user = [...this.objects.values()].find(({ takes }) => takes.includes(id));
    if (user !== undefined) throw new Error(`409: ${id} is in use by ${user.name}`);
    this.objects.delete(id);
  }
}

/** The provider of a toy cloud: `value` changes in place, everything else replaces; a given name makes it delete first. */
export function toyProvider(cloud: ToyCloud): ResourceProvider {
  const outputsOf = (object: ToyObject): PropertyMap => ({ ...object });
  const save = async (call: string, r: ResourceIdentity, id: string, inputs: PropertyMap) => {
    const object: ToyObject = {
      id,
      name: String(inputs.name),
      value: Number(inputs.value),
      fixed: Number(inputs.fixed),
      takes: inputs.takes as string[],
      broken: false,
    };
    const end = await cloud.change(`${call} ${r.name}`, () => cloud.put(object));
    if (end === "well") return outputsOf(object);
    object.broken = true;
    throw new InitializationFailed(id, outputsOf(object), ["it did not become ready"]);
  };
  return {
    async configure() {},
    async check(r, olds, news) {
      const named = "name" in news;
      const kept = Array.isArray(olds.__defaults) && olds.__defaults.includes("name") ? olds.name : undefined;
      const name = named ? news.name : (kept ?? `${r.name}-${randomUUID().slice(0, 7)}`);
      return { inputs: { ...news, name: name as string, __defaults: named ? [] : ["name"] }, failures: [] };
    },
    async diff(_r, _id, _olds, oldInputs, news) {
      const names = ["name", "value", "fixed", "takes"];
      const changed = names.filter((name) => !isDeepStrictEqual(oldInputs[name], news[name]));
      const replaces = changed.filter((name) => name !== "value");
      return {
        changes: changed.length > 0,
        replaces,
        deleteBeforeReplace: isDeepStrictEqual(news.__defaults, []),
        detailedDiff: Object.fromEntries(
          changed.map((name) => [name, { kind: name === "value" ? "update" : "update-replace", inputDiff: true }]),
        ),
      };
    },
    async create(r, inputs, preview) {
      if (preview) return { id: "", outputs: { ...inputs, id: unknown } };
      const id = randomUUID();
      return { id, outputs: await save("create", r, id, inputs) };
    },
    async update(r, id, olds, _oldInputs, news, preview) {
      return preview ? { ...olds, ...news } : save("update", r, id, news);
    },
    async read(_r, id, _outputs, inputs) {
      const found = cloud.objects.get(id);
      if (found === undefined) return { id: "", outputs: {}, inputs: {} as PropertyMap };
      const { value, fixed, takes } = found;
      return { id, outputs: outputsOf(found), inputs: { ...inputs, value, fixed, takes } };
    },
    async delete(r, id) {
      const end = await cloud.change(`delete ${r.name}`, () => cloud.drop(id));
      if (end === "half done") throw new AnswerLost(`timed out while ${id} went away`);
    },
    async invoke() {
      return { result: {}, failures: [] };
    },
    async findInterrupted(_r, inputs) {
      const found = [...cloud.objects.values()].find(({ name }) => name === inputs.name);
      return found === undefined ? undefined : { id: found.id, outputs: outputsOf(found) };
    },
    mayHaveMade: (error) => error instanceof AnswerLost,
    secretOutputs: () => [],
    async close() {},
  };
}
