import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  type CheckFailure,
  type DiffResult,
  InitializationFailed,
  type PropertyMap,
  type ResourceIdentity,
  type ResourceProvider,
  unknown,
} from "../../../src/engine/resource-provider.ts";

/** Properties that cannot be changed in place, by type's last part. */
const replacing: Record<string, string[]> = {
  Network: ["region"],
  Subnet: ["networkId", "cidr"],
  Router: ["region"],
  RouterInterface: ["routerId", "subnetId"],
  SecGroupRule: ["securityGroupId", "portRangeMin", "portRangeMax", "remoteIpPrefix", "protocol"],
  Port: ["networkId"],
  Instance: ["imageName", "userData", "networks"],
  FloatingIp: ["pool"],
};
/** Properties that the cloud makes up. */
const computed: Record<string, string[]> = { FloatingIp: ["address"], Instance: ["accessIpV4"] };

/** One object in the fake cloud. */
export interface CloudObject {
  id: string;
  type: string;
  properties: PropertyMap;
}

/** A cloud that outlives engines, and what was asked of it. */
export class FakeCloud {
  readonly objects = new Map<string, CloudObject>();
  /** `create Network net`, in order of the calls' ends. */
  readonly calls: string[] = [];
  /** Look-ups and comparisons, which change nothing. */
  readonly questions: string[] = [];
  readonly configured: Record<string, string>[] = [];
  /** Runs before a change; may throw or wait. */
  before: (call: string, r: ResourceIdentity) => Promise<void> | void = () => undefined;
  /** Runs after a change was made, before it is answered. */
  after: (call: string, r: ResourceIdentity) => Promise<void> | void = () => undefined;
  invoke: (token: string, args: PropertyMap) => PropertyMap = (_, args) => ({
    ...args,
    id: `id-of-${String(args.name)}`,
  });
  /** Fixed names of deletion-first types, as the official provider answers for named servers. */
  readonly deleteFirst = new Set(["Instance"]);
  canFindInterrupted = true;
  /** Configuration that another provider's resources cannot live with. */
  replacingConfig: string[] = [];
  /** Runs before what an interrupted create may have made is looked for; may throw. */
  beforeFind: (r: ResourceIdentity) => void = () => undefined;
  /** Runs before an object is read; may throw. */
  beforeRead: (r: ResourceIdentity) => void = () => undefined;
  isUncertain: (error: unknown) => boolean = () => false;

  ofType(kind: string): CloudObject[] {
    return [...this.objects.values()].filter((object) => kindOf(object.type) === kind);
  }
}

const kindOf = (type: string) => type.split(":").at(-1) ?? "";

/** A provider for the package openstack, of the fake cloud. */
export function fakeProvider(cloud: FakeCloud): ResourceProvider {
  const change = async (call: string, r: ResourceIdentity, action: () => void) => {
    const name = `${call} ${kindOf(r.type)} ${r.name}`;
    await cloud.before(name, r);
    action();
    cloud.calls.push(name);
    await cloud.after(name, r);
  };
  const provider: ResourceProvider = {
    async configure(variables) {
      cloud.configured.push(variables);
    },
    async checkConfig(_r, _olds, news) {
      const reason = "there is none of that name";
      return { inputs: news, failures: news.cloud === "wrong" ? [{ property: "cloud", reason }] : [] };
    },
    async diffConfig(_r, _olds, oldInputs, news) {
      if (cloud.replacingConfig.length === 0) return undefined;
      const replaces = cloud.replacingConfig.filter((key) => oldInputs[key] !== news[key]);
      return { changes: replaces.length > 0, replaces, deleteBeforeReplace: false, detailedDiff: {} };
    },
    async check(r, olds, news) {
      cloud.questions.push(`check ${r.name}`);
      const failures: CheckFailure[] = news.name === "" ? [{ property: "name", reason: "must not be empty" }] : [];
      const named = "name" in news || ["RouterInterface", "SecGroupRule", "FloatingIp"].includes(kindOf(r.type));
      const inputs: PropertyMap = named
        ? news
        : { ...news, name: olds.name ?? `${r.name}-${randomUUID().slice(0, 7)}` };
      return { inputs: { ...inputs, __defaults: named ? [] : ["name"] }, failures };
    },
    async diff(r, _id, _olds, oldInputs, news, _ignored): Promise<DiffResult> {
      cloud.questions.push(`diff ${r.name}`);
      const keys = [...new Set([...Object.keys(oldInputs), ...Object.keys(news)])].filter(
        (key) => key !== "__defaults",
      );
      const changed = keys.filter((key) => !isDeepStrictEqual(oldInputs[key], news[key]));
      const replaces = changed.filter((key) => replacing[kindOf(r.type)]?.includes(key));
      return {
        changes: changed.length > 0,
        replaces,
        deleteBeforeReplace: cloud.deleteFirst.has(kindOf(r.type)),
        detailedDiff: Object.fromEntries(
          changed.map((key) => [key, { kind: replaces.includes(key) ? "update-replace" : "update", inputDiff: true }]),
        ),
      };
    },
    async create(r, inputs, preview) {
      const made = computed[kindOf(r.type)] ?? [];
      if (preview) return { id: "", outputs: { ...inputs, ...Object.fromEntries(made.map((key) => [key, unknown])) } };
      const id = randomUUID();
      const outputs = {
        ...inputs,
        id,
        ...Object.fromEntries(made.map((key) => [key, `192.0.2.${cloud.objects.size}`])),
      };
      await change("create", r, () => cloud.objects.set(id, { id, type: r.type, properties: outputs }));
      return { id, outputs };
    },
    async update(r, id, olds, _oldInputs, news, preview) {
      const outputs = { ...olds, ...news };
      if (!preview) await change("update", r, () => cloud.objects.set(id, { id, type: r.type, properties: outputs }));
      return outputs;
    },
    async read(r, id, _outputs, inputs) {
      cloud.questions.push(`read ${r.name}`);
      cloud.beforeRead(r);
      const found = cloud.objects.get(id);
      if (found === undefined) return { id: "", outputs: {}, inputs: {} };
      // what was asked for, as it is now; all of it where nobody has asked yet: an import
      const asked = Object.keys(inputs).length > 0 ? inputs : found.properties;
      const asIs = Object.keys(asked).map((key) => [key, found.properties[key] ?? inputs[key] ?? null] as const);
      return { id, outputs: found.properties, inputs: Object.fromEntries(asIs) };
    },
    async delete(r, id) {
      await change("delete", r, () => cloud.objects.delete(id));
    },
    async invoke(token, args) {
      cloud.questions.push(`invoke ${token}`);
      return { result: cloud.invoke(token, args), failures: [] };
    },
    mayHaveMade: (error) => cloud.isUncertain(error),
    secretOutputs: () => [],
    close: async () => undefined,
  };
  if (cloud.canFindInterrupted) {
    provider.findInterrupted = async (r, inputs) => {
      cloud.beforeFind(r);
      const found = [...cloud.objects.values()].filter(
        (object) => object.type === r.type && object.properties.name === inputs.name,
      );
      const [only] = found;
      return found.length === 1 && only ? { id: only.id, outputs: only.properties } : undefined;
    };
  }
  return provider;
}

/** What a provider throws for an object that exists but is not well. */
export function halfMade(cloud: FakeCloud, r: ResourceIdentity): InitializationFailed {
  const object = [...cloud.objects.values()].find((made) => made.type === r.type);
  return new InitializationFailed(object?.id ?? "", object?.properties ?? {}, ["unexpected state 'ERROR'"]);
}
