import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reporter } from "../../../src/engine/embedded/deployment/reporter.ts";
import { Redactor } from "../../../src/engine/embedded/secrets/redactor.ts";
import type { ResourceState } from "../../../src/engine/embedded/state/resource-state.ts";
import { Secret, type Value, type ValueMap } from "../../../src/engine/embedded/values/value.ts";
import type { EngineEvent, StepOperation } from "../../../src/engine/events.ts";
import type { DiffKind } from "../../../src/engine/resource-provider.ts";
import { resourceState } from "../support/resource-state.ts";

/** Texts that no name of ours holds, with everything that JSON, URLs and base64 write in another way. */
const secretText = fc.string({
  unit: fc.constantFrom("§", '"', "\\", "\n", "ß", "%", "😀", "Q", "7"),
  minLength: 6,
  maxLength: 40,
});

/** How a program may carry a secret into a text without the engine's knowing. */
const disguise = fc.constantFrom<(secret: string) => string>(
  (secret) => secret,
  (secret) => `before ${secret} after`,
  (secret) => JSON.stringify({ password: secret }),
  (secret) => JSON.stringify({ file: JSON.stringify([secret]) }),
  (secret) => `https://me:${encodeURIComponent(secret)}@example.org`,
  (secret) => Buffer.from(`x${secret}y`).toString("base64"),
  (secret) => Buffer.from(`two${secret}`).toString("base64"),
);

interface Carried {
  secrets: string[];
  values: ValueMap;
  text: string;
}

/** Values that hold secrets: marked in one place, in disguise in others, as keys too. */
const carried: fc.Arbitrary<Carried> = fc
  .record({
    secrets: fc.uniqueArray(secretText, { minLength: 1, maxLength: 3 }),
    ways: fc.array(disguise, { minLength: 3, maxLength: 3 }),
  })
  .map(({ secrets, ways }) => {
    const all = (way: number) => secrets.map((secret) => ways[way]?.(secret) ?? secret);
    const values: ValueMap = {
      marked: secrets.map((secret): Value => Secret.of({ deep: [secret] })),
      plain: all(0),
      nested: { list: [{ text: all(1).join(" ") }] },
      keyed: Object.fromEntries(secrets.map((secret) => [secret, 1])),
    };
    return { secrets, values, text: all(2).join("; ") };
  });

function stateWith(values: ValueMap, over: Partial<ResourceState> = {}): ResourceState {
  const type = "t:index:T";
  return resourceState(`urn:pulumi:dev::p::${type}::name`, { type, inputs: values, outputs: values, ...over });
}

/** Every text in an event, keys included. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [key, ...textsOf(item)]);
}

/** How somebody would look for a secret in a log. */
function betrays(text: string, secret: string): boolean {
  const found = (form: string) => text.includes(form);
  const escaped = JSON.stringify(secret).slice(1, -1);
  const bytes = Buffer.from(secret);
  // shorter ones are found in base64 by chance
  const encoded = bytes.length < 8 ? [] : text.matchAll(/[A-Za-z0-9+/]{8,}/g);
  return (
    [secret, escaped, JSON.stringify(escaped).slice(1, -1), encodeURIComponent(secret)].some(found) ||
    [...encoded].some(([run]) => Buffer.from(run, "base64").includes(bytes))
  );
}

describe("what an engine tells holds no secret", () => {
  it("whatever the secrets are, and wherever inputs, outputs, ids, errors and messages have them", async () => {
    const operations = fc.constantFrom<StepOperation>(
      "same",
      "create",
      "update",
      "replace",
      "delete",
      "read",
      "import",
    );
    await fc.assert(
      fc.asyncProperty(carried, operations, fc.boolean(), async ({ secrets, values, text }, operation, fails) => {
        const events: EngineEvent[] = [];
        const redactor = new Redactor();
        const reporter = new Reporter(redactor, { onEvent: (event) => events.push(event), preview: false });
        redactor.learn(values);
        const kind: DiffKind = "update-replace";
        const detailedDiff = {
          plain: { kind, inputDiff: true },
          [`keyed["${secrets[0]}"]`]: { kind, inputDiff: true },
        };
        const diff = { changes: true, replaces: [], deleteBeforeReplace: false, detailedDiff };
        reporter.configuration({
          values: { "p:key": text, "p:secret": String(secrets[0]) },
          secretKeys: ["p:secret"],
        });
        reporter.message("info", text);
        const state = stateWith(values, { id: text, initErrors: [text] });
        await reporter
          .step(
            operation,
            state,
            { old: stateWith(values), diff, replaceReasons: Object.keys(detailedDiff) },
            async () => {
              if (fails) throw new Error(text);
            },
          )
          .catch(() => undefined);
        reporter.end(fails ? "failed" : "succeeded");
        expect(events.length).toBeGreaterThan(5);
        const texts = textsOf(events);
        for (const secret of secrets) expect(texts.filter((one) => betrays(one, secret))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it("and masks no more than that", () => {
    const redactor = new Redactor();
    redactor.learn(Secret.of("correct horse battery"));
    expect(redactor.clean(`user-data ${"of a server ".repeat(40)}`)).toBe(`user-data ${"of a server ".repeat(40)}`);
    redactor.learn(Secret.of("of a server"));
    expect(redactor.clean(`user-data ${"of a server ".repeat(40)}`)).toBe(`user-data ${"[secret] ".repeat(40)}`);
  });
});
