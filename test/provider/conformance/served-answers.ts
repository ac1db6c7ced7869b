import { credentials, type ServiceError } from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type { CheckResponse, ConfigureResponse, DiffResponse } from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import type { JsonMap, RecordedCall } from "./recorded-calls.ts";

const structOf = (map: JsonMap = {}) => struct.Struct.fromJavaScript(map);
const nameOf = (names: object, number: number) =>
  Object.entries(names).find(([, value]) => value === number)?.[0] ?? String(number);

/** Puts recorded calls to a plugin, with the generated code of Pulumi's own SDK, and writes its answers as they were recorded. */
export class ServedAnswers {
  readonly #client: InstanceType<typeof services.ResourceProviderClient>;

  constructor(port: number) {
    this.#client = new services.ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  }

  close(): void {
    this.#client.close();
  }

  async to({ method, request }: RecordedCall): Promise<RecordedCall["response"]> {
    const client = this.#client;
    if (method === "Configure") {
      const message = new rpc.ConfigureRequest().setArgs(structOf(request.args));
      for (const [key, text] of Object.entries(request.variables ?? {})) message.getVariablesMap().set(key, text);
      const answer = await called<ConfigureResponse>((done) => client.configure(message, done));
      return { supportsPreview: answer.getSupportspreview() };
    }
    if (method === "Diff") return this.#diff(request);
    const message = new rpc.CheckRequest()
      .setUrn(request.urn)
      .setType(request.type)
      .setName(request.name)
      .setOlds(structOf(request.olds))
      .setNews(structOf(request.news))
      .setRandomseed(new Uint8Array(32).fill(7));
    const answer = await called<CheckResponse>((done) =>
      method === "CheckConfig" ? client.checkConfig(message, done) : client.check(message, done),
    );
    const reasons = answer.getFailuresList().map((failure) => `${failure.getProperty()}: ${failure.getReason()}`);
    if (reasons.length > 0) throw new Error(reasons.join("; "));
    return { inputs: (answer.getInputs()?.toJavaScript() ?? {}) as JsonMap };
  }

  async #diff(request: RecordedCall["request"]): Promise<RecordedCall["response"]> {
    const message = new rpc.DiffRequest()
      .setUrn(request.urn)
      .setType(request.type)
      .setName(request.name)
      .setId(request.id ?? "")
      .setOlds(structOf(request.olds))
      .setOldInputs(structOf(request.oldInputs))
      .setNews(structOf(request.news))
      .setIgnorechangesList(request.ignoreChanges ?? []);
    const answer = await called<DiffResponse>((done) => this.#client.diff(message, done));
    const details = [...answer.getDetaileddiffMap().entries()].map(([path, detail]) => [
      path,
      { kind: nameOf(rpc.PropertyDiff.Kind, detail.getKind()), inputDiff: detail.getInputdiff() },
    ]);
    return {
      changes: nameOf(rpc.DiffResponse.DiffChanges, answer.getChanges()),
      replaces: answer.getReplacesList(),
      diffs: answer.getDiffsList(),
      deleteBeforeReplace: answer.getDeletebeforereplace(),
      detailedDiff: Object.fromEntries(details),
    };
  }
}

function called<A>(start: (done: (error: ServiceError | null, answer: A) => void) => unknown): Promise<A> {
  return new Promise((resolve, reject) => {
    start((error, answer) => (error === null ? resolve(answer) : reject(error)));
  });
}
