import fc from "fast-check";
import { expect, it } from "vitest";
import { type Place, UnderWay } from "../../src/common/under-way.ts";

it("has what a list has from which things leave, in order", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant("add" as const), fc.nat(30))), (steps) => {
      const underWay = new UnderWay<number>();
      const model: Place<number>[] = [];
      steps.forEach((step, number) => {
        if (step === "add") model.push(underWay.add(number));
        else if (model.length > 0) {
          const [left] = model.splice(step % model.length, 1) as [Place<number>];
          underWay.leave(left);
          expect([left.before, left.after]).toEqual([undefined, undefined]);
        }
        expect([...underWay.places()]).toEqual(model);
        expect(underWay.size).toBe(model.length);
      });
    }),
  );
});

it("bears that what is visited leaves", () => {
  const underWay = new UnderWay<string>();
  for (const item of ["a", "b", "c"]) underWay.add(item);
  const seen: string[] = [];
  for (const place of underWay.places()) {
    seen.push(place.item);
    underWay.leave(place);
  }
  expect(seen).toEqual(["a", "b", "c"]);
  expect(underWay.size).toBe(0);
});
