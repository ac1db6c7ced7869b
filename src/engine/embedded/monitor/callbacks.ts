import { credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/callback_grpc_pb.js";
import type { Callback, CallbackInvokeResponse } from "@pulumi/pulumi/proto/callback_pb.js";
import messages from "@pulumi/pulumi/proto/callback_pb.js";
import { channelOptions } from "./channel.ts";

/** How long a function of the program may take: it may ask the user, or the cloud. */
const callMs = 10 * 60_000;

type Client = InstanceType<typeof services.CallbacksClient>;

/** Functions that the program keeps and the engine calls (pulumi/pulumi, proto/pulumi/callback.proto). */
export class Callbacks {
  readonly #clients = new Map<string, Client>();

  /** Calls one with a serialized message and returns its answer. Throws an Error with the function's own words. */
  async call(callback: Callback, request: Uint8Array): Promise<Uint8Array> {
    const client = this.#clientOf(callback.getTarget());
    const message = new messages.CallbackInvokeRequest().setToken(callback.getToken()).setRequest(request);
    const answer = await new Promise<CallbackInvokeResponse>((resolve, reject) => {
      const done = (error: ServiceError | null, response: CallbackInvokeResponse) =>
        error === null ? resolve(response) : reject(new Error(error.details, { cause: error }));
      client.invoke(message, new Metadata(), { deadline: Date.now() + callMs }, done);
    });
    return answer.getResponse_asU8();
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #clientOf(target: string): Client {
    let client = this.#clients.get(target);
    if (client === undefined) {
      client = new services.CallbacksClient(target, credentials.createInsecure(), channelOptions);
      this.#clients.set(target, client);
    }
    return client;
  }
}
