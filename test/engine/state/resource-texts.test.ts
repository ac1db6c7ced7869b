import { expect, it } from "vitest";
import { Vault } from "../../../src/engine/embedded/secrets/vault.ts";
import { formatCheckpoint, openDeployment, parseCheckpoint } from "../../../src/engine/embedded/state/checkpoint.ts";
import type { ResourceState } from "../../../src/engine/embedded/state/resource-state.ts";
import { ResourceTexts } from "../../../src/engine/embedded/state/resource-texts.ts";
import { Secret } from "../../../src/engine/embedded/values/value.ts";
import { resourceState } from "../support/resource-state.ts";

const path = "organization/bench/dev";

it("what was made for an earlier save never stands for what has changed since", async () => {
  const vault = await Vault.open("open sesame", undefined);
  const texts = new ResourceTexts(vault);
  const [net, key] = [resource("net"), resource("key")];
  const saved = () => {
    const text = formatCheckpoint(path, { resources: [net, key], pending: [], metadata: {} }, vault, texts);
    return openDeployment(parseCheckpoint("dev.json", text), vault).resources;
  };
  expect(saved()).toEqual([net, key]);

  net.id = "4711";
  expect(saved()).toEqual([net, key]);
  key.outputs = { ...key.outputs, privateKey: Secret.of("a key") };
  expect(saved()).toEqual([net, key]);
  net.delete = true;
  expect(saved()).toEqual([net, key]);
  delete net.delete;
  expect(saved()).toEqual([net, key]);
});

it("each resource that has not changed is asked for no secret again", async () => {
  const vault = await Vault.open("open sesame", undefined);
  const asked: string[] = [];
  const codec = {
    encrypt: (text: string, slot: string) => {
      asked.push(text);
      return vault.encrypt(text, slot);
    },
    decrypt: noText,
  };
  const texts = new ResourceTexts(codec);
  const key = { ...resource("key"), outputs: { privateKey: Secret.of("a key") } };
  const first = texts.of(key);
  expect(texts.of(key)).toBe(first);
  expect(asked).toEqual(['"a key"']);
});

function noText(): string {
  throw new Error("nothing is read here");
}

function resource(name: string): ResourceState {
  const type = "test:index:Thing";
  return resourceState(`urn:pulumi:dev::bench::${type}::${name}`, {
    type,
    inputs: { name },
    outputs: { name, tags: ["a"] },
  });
}
