import type { FastifyRequest } from "fastify";
import type { VolumeContext } from "./context.ts";
import type { Volume } from "./records.ts";

/** What an action answers, and what is to be done once its changes are kept. */
export interface ActionAnswer {
  status: number;
  body?: unknown;
  after?: () => void;
}

/** A request for an action, with what it is about. */
export interface Action {
  context: VolumeContext;
  volume: Volume;
  request: Pick<FastifyRequest, "scope" | "microversion" | "body">;
}
