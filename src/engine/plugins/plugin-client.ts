import { once } from "node:events";
import { credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import services from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { channelOptions } from "../embedded/monitor/channel.ts";
import { errorFrom, isServiceError, PluginLost } from "./plugin-error.ts";
import type { PluginProcess } from "./plugin-process.ts";

/** How long a plugin may take for what needs no cloud, or one look at it. */
const questionMs = 10 * 60_000;
/** How long a change may take that the program sets no timeout for; Pulumi's engine waits for ever. */
const changeMs = 24 * 3_600_000;
/** What a change gets beyond its own timeout, which is the plugin's to keep. */
const beyondTimeoutMs = 10 * 60_000;
/** How long a plugin may take to take note of Cancel. */
const cancelMs = 2000;

type Client = InstanceType<typeof services.ResourceProviderClient>;
type Callback<A> = (error: ServiceError | null, answer: A) => void;
type Method<Q, A> = (request: Q, metadata: Metadata, options: { deadline: number }, callback: Callback<A>) => unknown;

/** A plugin's ResourceProvider service, with deadlines and errors that name the plugin. */
export class PluginClient {
  readonly #process: PluginProcess;
  readonly #client: Client;

  constructor(process: PluginProcess) {
    this.#process = process;
    this.#client = new services.ResourceProviderClient(process.address, credentials.createInsecure(), channelOptions);
  }

  /**
   * Asks something that changes nothing.
   * @throws InitializationFailed, {@link PluginLost}, an Error with the plugin's words; a ServiceError UNIMPLEMENTED as it is
   */
  ask<Q, A>(choose: (client: Client) => Method<Q, A>, request: Q): Promise<A> {
    return this.#call(choose, request, questionMs);
  }

  /** Asks for a change; as {@link ask}. @param timeoutSeconds the program's own, 0 for none */
  change<Q, A>(choose: (client: Client) => Method<Q, A>, request: Q, timeoutSeconds: number): Promise<A> {
    return this.#call(choose, request, timeoutSeconds > 0 ? timeoutSeconds * 1000 + beyondTimeoutMs : changeMs);
  }

  /** Asks the plugin to end what it is doing; a plugin that cannot, or is gone, need not. */
  async cancel(): Promise<void> {
    await this.#send((client) => client.cancel, new empty.Empty(), cancelMs).catch(() => undefined);
  }

  close(): void {
    this.#client.close();
  }

  async #call<Q, A>(choose: (client: Client) => Method<Q, A>, request: Q, deadlineMs: number): Promise<A> {
    try {
      return await this.#send(choose, request, deadlineMs);
    } catch (error) {
      throw isServiceError(error) ? await this.#explained(error) : error;
    }
  }

  #send<Q, A>(choose: (client: Client) => Method<Q, A>, request: Q, deadlineMs: number): Promise<A> {
    const method = choose(this.#client).bind(this.#client);
    return new Promise((resolve, reject) => {
      method(request, new Metadata(), { deadline: Date.now() + deadlineMs }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  }

  async #explained(error: ServiceError): Promise<Error> {
    if (error.code === status.UNIMPLEMENTED) return error;
    const { label } = this.#process;
    if (error.code === status.DEADLINE_EXCEEDED) {
      return new PluginLost("E_PLUGIN", `the provider plugin for ${label} did not answer in time`, {
        cause: error,
        details: this.#process.lastWords(),
      });
    }
    if (error.code === status.UNAVAILABLE || error.code === status.CANCELLED) {
      const how = await within(1000, this.#process.ended);
      if (how !== undefined) {
        return new PluginLost("E_PLUGIN", `the provider plugin for ${label} ${how} while it was at work`, {
          cause: error,
          details: this.#process.lastWords(),
          hint: "Run the command again; if the plugin ends again, its last lines say why.",
        });
      }
    }
    return errorFrom(error);
  }
}

/** What the promise resolves with, or undefined after a while. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  const late = once(AbortSignal.any([AbortSignal.timeout(ms), timer.signal]), "abort").then(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}
