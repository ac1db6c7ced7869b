import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import type { PropertyMap, ResourceProvider } from "../../src/engine/resource-provider.ts";
import { again, make, resource, type TestCloud } from "./test-cloud.ts";

type Made = Awaited<ReturnType<typeof make>>;

/** What a resource's life is tried with. */
export interface World {
  cloud: TestCloud;
  provider: ResourceProvider;
  /** Makes what the resource needs; it is deleted after it, the last first. */
  need(kind: string, news: PropertyMap): Promise<PropertyMap & { id: string }>;
  make(kind: string, news: PropertyMap): Promise<Made>;
}

/** The life of one kind: everything that `live` needs to try it. */
export interface Life {
  /** `networking/network:Network` */
  kind: string;
  /** What the program says. */
  news(world: World): Promise<PropertyMap> | PropertyMap;
  /** Outputs that are expected after the create, beside the inputs. */
  outputs?: PropertyMap;
  /** Another's hand on the object in the cloud, and the property that a refresh then shows to differ. */
  drift?: { by(world: World, id: string, outputs: PropertyMap): Promise<unknown>; shows: string };
  /** Inputs that change the object where it is. */
  update?: PropertyMap | ((world: World) => Promise<PropertyMap>);
  /** Inputs that need a new object, and the property that says so. */
  replace: { news: PropertyMap; because: string };
  /** Inputs that an import by id cannot know; false where there is no import. */
  importLacks: string[] | false;
  /** Differences that an imported resource shows: defaults of ours, and tags, which are all foreign at first, as officially. */
  importTakes?: string[];
  /** The object is there without the resource too: a deleted association leaves its floating IP. */
  outlives?: boolean;
  /** Outputs that differ from one read to the next. */
  restless?: string[];
}

/** A read adds empty collections to the state, as the official provider's does (recorded: refresh after the first up). */
function withoutEmpty(outputs: PropertyMap, known: PropertyMap): PropertyMap {
  const isEmpty = (value: PropertyMap[string] | undefined) =>
    value === null || (Array.isArray(value) && value.length === 0) || isDeepStrictEqual(value, {});
  return Object.fromEntries(Object.entries(outputs).filter(([key, value]) => key in known || !isEmpty(value)));
}

/** Create, no difference, read, drift, update, replacement, import, delete twice. */
export async function live(life: Life, cloud: TestCloud, provider: ResourceProvider): Promise<void> {
  const needed: Made[] = [];
  const world: World = {
    cloud,
    provider,
    async make(kind, news) {
      const made = await make(provider, resource(kind, `need-${needed.length}`), news);
      needed.push(made);
      return made;
    },
    async need(kind, news) {
      const { outputs, id } = await world.make(kind, news);
      return { ...outputs, id };
    },
  };
  try {
    await liveIn(world, life);
  } finally {
    for (const made of needed.toReversed()) {
      await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
    }
  }
}

async function liveIn(world: World, life: Life): Promise<void> {
  const { provider } = world;
  const news = await life.news(world);
  let made = await world.make(life.kind, news);
  if (life.outputs !== undefined) expect(made.outputs).toMatchObject(life.outputs);
  expect(made.outputs).toMatchObject({ id: made.id, region: "RegionOne" });
  await expectNoDifference(world, made, news, "right after the create");

  const read = await provider.read(made.r, made.id, made.outputs, made.inputs, {});
  expect(read.inputs).toEqual(made.inputs);
  expect(calm(life, withoutEmpty(read.outputs, made.outputs))).toEqual(calm(life, made.outputs));

  if (life.importLacks === false) {
    await expect(provider.read(made.r, made.id, {}, {}, {})).rejects.toMatchObject({ code: "E_UNSUPPORTED" });
  } else await expectImport(world, life, made, life.importLacks);

  if (life.drift !== undefined) made = await expectDrift(world, life.drift, made, news);
  let wanted = news;
  if (life.update !== undefined) {
    wanted = { ...news, ...(typeof life.update === "function" ? await life.update(world) : life.update) };
    made = await expectUpdate(world, made, wanted);
  }

  const { diff } = await again(provider, made, { ...wanted, ...life.replace.news });
  expect(diff.replaces).toContain(life.replace.because);

  await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
  await provider.delete(made.r, made.id, made.outputs, made.inputs, {});
  const left = await provider.read(made.r, made.id, made.outputs, made.inputs, {});
  expect(left.id).toBe(life.outlives ? made.id : "");
}

async function expectNoDifference({ provider }: World, made: Made, news: PropertyMap, when: string): Promise<void> {
  const { diff } = await again(provider, made, news);
  expect({ when, ...diff }).toMatchObject({ when, changes: false, detailedDiff: {} });
}

/** The program of an imported resource is what it was made with: everything that the cloud can tell is in the inputs. */
async function expectImport({ provider }: World, life: Life, made: Made, lacks: string[]): Promise<void> {
  const imported = await provider.read(made.r, made.id, {}, {}, {});
  expect(imported.id).toBe(made.id);
  expect(imported.outputs.__meta).toBe(made.outputs.__meta);
  const { __defaults: _, ...given } = made.inputs;
  for (const name of lacks) delete given[name];
  const { diff } = await again(provider, { ...made, inputs: imported.inputs, outputs: imported.outputs }, given);
  expect({ imported: life.kind, changed: Object.keys(diff.detailedDiff), replaces: diff.replaces }).toEqual({
    ...{ imported: life.kind, changed: life.importTakes ?? [], replaces: [] },
  });
}

async function expectDrift(
  world: World,
  drift: NonNullable<Life["drift"]>,
  made: Made,
  news: PropertyMap,
): Promise<Made> {
  const { provider } = world;
  await drift.by(world, made.id, made.outputs);
  const { id, inputs, outputs } = await provider.read(made.r, made.id, made.outputs, made.inputs, {});
  const seen = { ...made, id, inputs, outputs };
  const { diff, inputs: wanted } = await again(provider, seen, news);
  expect(Object.keys(diff.detailedDiff).map((path) => path.split(/[.[]/)[0])).toContain(drift.shows);
  expect(diff.replaces).toEqual([]);
  const mended = await provider.update(made.r, made.id, outputs, inputs, wanted, false, {});
  const after = { ...made, inputs: wanted, outputs: mended };
  await expectNoDifference(world, after, news, "after the drift was mended");
  return after;
}

async function expectUpdate(world: World, made: Made, news: PropertyMap): Promise<Made> {
  const { provider } = world;
  const { inputs, diff } = await again(provider, made, news);
  expect(diff.changes).toBe(true);
  expect(diff.replaces).toEqual([]);
  const foreseen = await provider.update(made.r, made.id, made.outputs, made.inputs, inputs, true, {});
  expect(foreseen).toMatchObject({ id: made.id });
  const outputs = await provider.update(made.r, made.id, made.outputs, made.inputs, inputs, false, {});
  const after = { ...made, inputs, outputs };
  await expectNoDifference(world, after, news, "after the update");
  const read = await provider.read(made.r, made.id, outputs, inputs, {});
  expect(read.inputs).toEqual(inputs);
  return after;
}

function calm({ restless = [] }: Life, outputs: PropertyMap): PropertyMap {
  return Object.fromEntries(Object.entries(outputs).filter(([name]) => !restless.includes(name)));
}
