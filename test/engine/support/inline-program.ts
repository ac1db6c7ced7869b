import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import grpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import resource, { type RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct, { type JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb.js";
import type { ProgramEnd, ProgramLauncher } from "../../../src/engine/embedded/program/program.ts";

type Client = InstanceType<typeof grpc.ResourceMonitorClient>;

/** An input; `{ idOf: name }` stands for the id of another resource of the program. */
type InlineValue = string | number | boolean | InlineValue[] | { [key: string]: InlineValue };

/** A resource that a program registers; whatever it names stands before it. */
export interface InlineResource {
  type: string;
  name: string;
  inputs: Record<string, InlineValue>;
  /** The component that it hangs from, or none. */
  component?: string | undefined;
  /** Resources that it is only ordered after. */
  after?: string[];
  deleteBeforeReplace?: boolean | undefined;
  version?: string;
}

/** Runs a program within this process: it says over gRPC what the SDK would say for it, without the second that the SDK takes to load. */
export function inlineProgram(resources: readonly InlineResource[]): ProgramLauncher {
  return async ({ monitor, project, stack }) => {
    const client = new grpc.ResourceMonitorClient(monitor, credentials.createInsecure());
    const ended = registerAll(client, resources, project.name, stack)
      .then(() => ({ succeeded: true, interrupted: false, reason: undefined }))
      .catch(endBy)
      .finally(() => client.close());
    return { ended, stop: () => client.close() };
  };
}

/** As the SDK: a monitor that answers UNAVAILABLE is ending, and has said why itself. */
function endBy(error: ServiceError): ProgramEnd {
  const quiet = error.code === status.UNAVAILABLE || error.code === status.CANCELLED;
  return { succeeded: quiet, interrupted: false, reason: quiet ? undefined : error.message };
}

async function registerAll(
  client: Client,
  resources: readonly InlineResource[],
  project: string,
  stack: string,
): Promise<void> {
  const root = await register(client, "pulumi:pulumi:Stack", `${project}-${stack}`, false, "");
  const made = new Map<string, Promise<RegisterResourceResponse>>();
  const component = (name: string): Promise<RegisterResourceResponse> => {
    const key = `component ${name}`;
    const registered = made.get(key) ?? register(client, "inline:index:Group", name, false, root.getUrn());
    made.set(key, registered);
    return registered;
  };
  for (const one of resources) {
    const parent = one.component === undefined ? Promise.resolve(root) : component(one.component);
    made.set(one.name, registerOne(client, one, parent, made));
  }
  const all = await Promise.allSettled(made.values());
  const failed = all.find((registered) => registered.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const outputs = new resource.RegisterResourceOutputsRequest()
    .setUrn(root.getUrn())
    .setOutputs(struct.Struct.fromJavaScript({ resources: resources.length }));
  await call((done) => client.registerResourceOutputs(outputs, done));
  await call((done) => client.signalAndWaitForShutdown(new empty.Empty(), done));
}

async function registerOne(
  client: Client,
  { type, name, inputs, after = [], deleteBeforeReplace, version }: InlineResource,
  parent: Promise<RegisterResourceResponse>,
  made: ReadonlyMap<string, Promise<RegisterResourceResponse>>,
): Promise<RegisterResourceResponse> {
  const takes = Object.entries(inputs).map(([key, value]) => [key, namesIn(value)] as const);
  const named = [...new Set([...takes.flatMap(([, names]) => names), ...after])];
  const answers = new Map(await Promise.all(named.map(async (other) => [other, await made.get(other)] as const)));
  const urnOf = (other: string) => answers.get(other)?.getUrn() ?? "";
  const known = resolved(inputs, (other) => answers.get(other)?.getId() ?? "");
  const parentUrn = (await parent).getUrn();
  return register(client, type, name, true, parentUrn, (request) => {
    request.setObject(struct.Struct.fromJavaScript(known as Record<string, JavaScriptValue>));
    request.setDependenciesList(named.map(urnOf));
    request.setVersion(version ?? "");
    for (const [key, names] of takes) {
      const urns = new resource.RegisterResourceRequest.PropertyDependencies().setUrnsList(names.map(urnOf));
      request.getPropertydependenciesMap().set(key, urns);
    }
    if (deleteBeforeReplace !== undefined) {
      request.setDeletebeforereplacedefined(true).setDeletebeforereplace(deleteBeforeReplace);
    }
  });
}

function isReference(value: InlineValue): value is { idOf: string } {
  return typeof value === "object" && !Array.isArray(value) && typeof value.idOf === "string";
}

/** The resources whose ids a value needs. */
function namesIn(value: InlineValue): string[] {
  if (isReference(value)) return [value.idOf];
  return typeof value === "object" ? Object.values(value).flatMap(namesIn) : [];
}

function resolved(value: InlineValue, idOf: (name: string) => string): InlineValue {
  if (isReference(value)) return idOf(value.idOf);
  if (Array.isArray(value)) return value.map((item) => resolved(item, idOf));
  if (typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolved(item, idOf)]));
}

function register(
  client: Client,
  type: string,
  name: string,
  custom: boolean,
  parent: string,
  more: (request: InstanceType<typeof resource.RegisterResourceRequest>) => void = () => undefined,
): Promise<RegisterResourceResponse> {
  const request = new resource.RegisterResourceRequest()
    .setType(type)
    .setName(name)
    .setCustom(custom)
    .setParent(parent)
    .setAcceptsecrets(true)
    .setAcceptresources(true)
    .setSupportspartialvalues(true)
    .setSupportsresultreporting(true);
  more(request);
  return call((done) => client.registerResource(request, done));
}

function call<T>(send: (done: (error: ServiceError | null, answer: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    send((error, answer) => (error === null ? resolve(answer) : reject(error)));
  });
}
