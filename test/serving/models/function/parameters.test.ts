import { describe, expect, it } from "vitest";
import { keywordParameters, positionalArguments } from "../../../../src/serving/models/function/parameters.ts";

const named = (...names: string[]) =>
  names.map((name) => ({ name: name.replace("?", ""), optional: name.endsWith("?") }));

describe("a function's parameters", () => {
  it.each([
    ["function fib(n) {}", named("n")],
    ["async function f(a, b = 2) {}", named("a", "b?")],
    ["(a, b = [1, 2], c = { x: ')' }) => a", named("a", "b?", "c?")],
    ["x => x", named("x")],
    ["async x => x", named("x")],
    ["predict(a /* , not this */, b // nor, that\n) {}", named("a", "b")],
    ["function (a = (x, y) => x, größe) {}", named("a?", "größe")],
    ['function f(a = "),(", b) {}', named("a?", "b")],
    ["() => 1", []],
    ["function* f($a, _b) {}", named("$a", "_b")],
  ])("of %s are told by its text", (text, expected) => {
    expect(keywordParameters(text)).toEqual(expected);
  });

  it.each([
    "({ n }) => n",
    "function predict(args) {}",
    "input => 1",
    "function f({ a = 1, b } = {}) {}",
    "([a, b]) => a",
  ])("%s takes one object", (text) => expect(keywordParameters(text)).toBeUndefined());

  it.each(["(a, { b }) => 1", "(...rest) => 1"])("%s has parameters that no keyword can name", (text) => {
    expect(() => keywordParameters(text)).toThrow("has no name");
  });

  it("are put in order from the object that names them", () => {
    const parameters = named("a", "b?");
    expect(positionalArguments(parameters, { b: 2, a: 1 })).toEqual([1, 2]);
    expect(positionalArguments(parameters, { a: 1 })).toEqual([1, undefined]);
    expect(positionalArguments(parameters, { b: 1 })).toBe("the parameter a is missing");
    expect(positionalArguments(parameters, { a: 1, toString: 2 })).toBe("there is no parameter toString");
    expect(positionalArguments(named("toString"), {})).toBe("the parameter toString is missing");
    for (const none of [[1], null, 5, "a"]) expect(positionalArguments(parameters, none)).toContain("no object");
  });
});
