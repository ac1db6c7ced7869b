import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whyNoGuests } from "../e2e/guests/scratch-cloud.ts";
import type { Case } from "./cases.ts";
import { leftOver, packagesOf } from "./left-over.ts";
import type { Counts } from "./load.ts";
import { Stage } from "./stage.ts";

/** Enough that what is wrong now would show. */
const AFTERWARDS = 100;
const CASE_MS = 180_000;

/** Terms of a suite. */
interface SuiteTerms {
  perSecond: number;
  /** Requests that good releases are made under. */
  goodRequests: number;
}

const skip = await whyNoGuests();

/** Releases go well, and in every one of these cases wrong, to one stack on a real guest under load: no request is to notice. */
export function releasesUnderLoad(cases: readonly Case[], { perSecond, goodRequests }: SuiteTerms): void {
  describe.skipIf(skip !== undefined)(`releases under load${skip === undefined ? "" : ` (${skip})`}`, () => {
    let stage: Stage;
    let all: Counts;
    /** Whether a case before ended as it should: one that did not may have left anything. */
    let isClean = true;

    beforeAll(async () => {
      stage = await Stage.open(perSecond);
      all = stage.load.look();
    });
    afterAll(async () => {
      if (!stage) return; // it did not open, and has left nothing
      console.log(lineOf("all cases together", stage.load.counts(all)));
      expect(await stage.close()).toEqual([]);
    });

    it(`good releases, one after the other, over ${goodRequests} requests`, { timeout: CASE_MS }, async () => {
      const before = stage.load.look();
      for (let releases = 1; stage.load.counts(before).asked < goodRequests; releases++) {
        const [name, old] = [`good-${releases}`, stage.live];
        const model = await stage.model(name);
        stage.load.allow(old, name);
        const began = performance.now();
        let firstAnswerMs: number | undefined;
        const deployed = stage.deploy(model);
        const ended = deployed.then(() => true);
        while (firstAnswerMs === undefined) {
          if (stage.load.counts(before).answers.has(name)) firstAnswerMs = performance.now() - began;
          else if (await Promise.race([ended, sleep(2, false)])) break;
        }
        expect((await deployed).result).toMatchObject({ ok: true, changed: true });
        stage.load.allow(name);
        stage.live = name;
        await stage.load.untilAsked(AFTERWARDS);
        console.log(
          `${name}: ${((firstAnswerMs ?? Number.NaN) / 1000).toFixed(2)} s from the command to its first answer`,
        );
      }
      const counts = stage.load.counts(before);
      console.log(lineOf("good releases", counts));
      expectFlawless(counts);
    });

    it.each(cases.map((one, at) => ({ ...one, at })))("$name", { timeout: CASE_MS }, async (one) => {
      if (!isClean) await stage.startAnew(`anew-${one.at}`);
      isClean = false;
      const before = stage.load.look();
      const [name, old] = [`case-${one.at}`, stage.live];
      stage.load.allow(old, `${name}-before`);
      const serving = (await one.prepare?.(stage, `${name}-before`)) ?? old;
      const packages = await packagesOf(stage);
      const wanted = one.serves === "new" ? [] : [old];
      stage.load.allow(serving, ...wanted, ...(one.answersMeanwhile ? [name] : []));
      const { exitCode, result } = await one.release(stage, name);
      const { last } = await stage.settled();
      stage.live = await stage.servingModel();
      stage.load.allow(stage.live);
      await stage.load.untilAsked(AFTERWARDS);
      const counts = stage.load.counts(before);
      const told = result?.error
        ? `${result.error.code}, ${result.error.message}`
        : `release ${last.sequence} ${last.result}`;
      console.log(`${lineOf(one.name, counts)}; exit ${exitCode}: ${String(told).slice(0, 160)}`);
      expectFlawless(counts);
      const { expected } = one;
      if (Array.isArray(expected.exitCode)) expect(expected.exitCode).toContain(exitCode);
      else expect(exitCode).toBe(expected.exitCode);
      if (expected.code !== undefined) {
        expect(result.error).toMatchObject({ code: expected.code, exitCode });
        expect([result.error.message, ...result.error.details].join("\n")).toMatch(expected.reason ?? /./);
      }
      const mayServe = { old: [old], new: [name], either: [old, name] }[one.serves];
      expect(mayServe).toContain(stage.live);
      expect(await leftOver(stage, packages)).toEqual([]);
      isClean = true;
    });
  });
}

function expectFlawless({ failures, wrong }: Counts): void {
  expect([...new Set(failures)]).toEqual([]);
  expect(wrong).toEqual([]);
}

function lineOf(name: string, { asked, answers, failures, wrong, longestMs }: Counts): string {
  const by = [...answers].map(([model, count]) => `${model} ${count}`).join(", ");
  return `${name}: ${asked} requests, ${failures.length} failed, ${wrong.length} wrong (${by}), longest ${Math.round(longestMs)} ms`;
}
