import { describe, expect, it } from "vitest";
import { z } from "zod";
import * as types from "../../src/cloud/compute/schema-types.ts";
import { parseSchema } from "../../src/cloud/http/json-schema-words.ts";
import { pythonRepr } from "../../src/cloud/http/python-repr.ts";

const schema = z.strictObject({
  server: z.strictObject({
    name: types.name,
    flavorRef: types.reference,
    count: types.count(1).optional(),
    networks: types.oneOf([z.array(z.string()), z.enum(["auto", "none"])]).optional(),
    metadata: types.metadata.optional(),
    tags: types.since(1, 52, z.array(z.string())),
  }),
});
const given = { name: "a", flavorRef: 1 };

// what Nova of Zed answers to the same bodies, by Python's jsonschema 4.10
describe("refusals of a body", () => {
  it.each([
    [null, "None is not of type 'object'"],
    [{}, "'server' is a required property"],
    [{ server: {} }, "Invalid input for field/attribute server. Value: {}. 'name' is a required property"],
    [
      { server: { flavorRef: [] } },
      "Invalid input for field/attribute flavorRef. Value: []. [] is not of type 'string', 'integer'",
    ],
    [{ server: { ...given, name: "" } }, "Invalid input for field/attribute name. Value: . '' is too short"],
    [{ server: { ...given, name: " a" } }, expect.stringMatching(/^An invalid 'name' value was provided\./)],
    [
      { server: { ...given, count: "x" } },
      "Invalid input for field/attribute count. Value: x. 'x' does not match '^[0-9]*$'",
    ],
    [
      { server: { ...given, count: 0 } },
      "Invalid input for field/attribute count. Value: 0. 0 is less than the minimum of 1",
    ],
    [
      { server: { ...given, networks: 5 } },
      "Invalid input for field/attribute networks. Value: 5. 5 is not valid under any of the given schemas",
    ],
    [
      { server: { ...given, metadata: { "a/b": "1" } } },
      "Invalid input for field/attribute metadata. Value: {'a/b': '1'}. 'a/b' does not match any of the regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'",
    ],
    [
      { server: { ...given, tags: ["t"] } },
      "Invalid input for field/attribute server. Value: {'name': 'a', 'flavorRef': 1, 'tags': ['t']}. Additional properties are not allowed ('tags' was unexpected)",
    ],
  ])("%j", (body, message) => {
    expect(() => parseSchema(schema, body)).toThrow(expect.objectContaining({ status: 400, message }));
  });

  it("repeat values as Python writes them", () => {
    expect(pythonRepr({ a: [true, null, 1.5, "it's", "both'\"", "\n\\"] })).toBe(
      String.raw`{'a': [True, None, 1.5, "it's", 'both\'"', '\n\\']}`,
    );
  });
});
