import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import grpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import resource, { type RegisterResourceResponse } from "@pulumi/pulumi/proto/resource_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import type { ProgramEnd, ProgramLauncher } from "../../../src/engine/embedded/program/program.ts";
import { givenName, type RandomProgram, type Wanted } from "./programs.ts";

type Client = InstanceType<typeof grpc.ResourceMonitorClient>;

/** Runs a random program within this process: it says over gRPC what the SDK would say for it, without the second that the SDK takes to load. */
export function inlineProgram(program: RandomProgram): ProgramLauncher {
  return async ({ monitor, project, stack }) => {
    const client = new grpc.ResourceMonitorClient(monitor, credentials.createInsecure());
    const ended = registerAll(client, program, project.name, stack)
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

async function registerAll(client: Client, program: RandomProgram, project: string, stack: string): Promise<void> {
  const root = await register(client, "pulumi:pulumi:Stack", `${project}-${stack}`, false, "");
  const components = new Map<string, Promise<string>>();
  const made = new Map<string, Promise<RegisterResourceResponse>>();
  for (const wanted of program) {
    const { component } = wanted;
    if (component !== undefined && !components.has(component)) {
      const registered = register(client, "toy:index:Group", component, false, root.getUrn());
      components.set(
        component,
        registered.then((answer) => answer.getUrn()),
      );
    }
    const parent = component === undefined ? root.getUrn() : components.get(component);
    made.set(wanted.name, registerWanted(client, wanted, Promise.resolve(parent ?? ""), made));
  }
  const all = await Promise.allSettled([...made.values(), ...components.values()]);
  const failed = all.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const outputs = new resource.RegisterResourceOutputsRequest()
    .setUrn(root.getUrn())
    .setOutputs(struct.Struct.fromJavaScript({ resources: program.length }));
  await call((done) => client.registerResourceOutputs(outputs, done));
  await call((done) => client.signalAndWaitForShutdown(new empty.Empty(), done));
}

async function registerWanted(
  client: Client,
  wanted: Wanted,
  parent: Promise<string>,
  made: ReadonlyMap<string, Promise<RegisterResourceResponse>>,
): Promise<RegisterResourceResponse> {
  const of = (names: string[]) => Promise.all(names.map(async (name) => made.get(name)));
  const [takes, after, parentUrn] = await Promise.all([of(wanted.takes), of(wanted.after), parent]);
  const urns = (answers: typeof takes) => answers.map((answer) => answer?.getUrn() ?? "");
  const inputs = {
    value: wanted.value,
    fixed: wanted.fixed,
    takes: takes.map((answer) => answer?.getId() ?? ""),
    ...(wanted.hasGivenName ? { name: givenName(wanted) } : {}),
  };
  return register(client, "toy:index:Thing", wanted.name, true, parentUrn, (request) => {
    request.setObject(struct.Struct.fromJavaScript(inputs));
    request.setDependenciesList([...new Set([...urns(takes), ...urns(after)])]);
    const takesUrns = new resource.RegisterResourceRequest.PropertyDependencies().setUrnsList(urns(takes));
    request.getPropertydependenciesMap().set("takes", takesUrns);
    if (wanted.deleteBeforeReplace !== undefined) {
      request.setDeletebeforereplacedefined(true).setDeletebeforereplace(wanted.deleteBeforeReplace);
    }
  });
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
