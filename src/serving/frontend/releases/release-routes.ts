import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { readTextIfExists } from "../../../common/files.ts";
import { releaseReport, releaseStatus } from "../../../guest/release-progress.ts";
import type { ServingConfig } from "../../config.ts";
import { HttpError } from "../errors.ts";
import type { Hub } from "../processes/hub.ts";
import { agentWaker } from "./look.ts";
import { versionFiguresIn } from "./read-figures.ts";
import { versionFigures } from "./version-figures.ts";

const tags = ["releases"];
const reads = { role: "read" } as const;
const schemas = {
  status: {
    summary: "What serves, and the release that is under way or was the last",
    tags,
    response: { 200: releaseStatus },
  },
  history: {
    summary: "The releases that the host remembers, the newest first",
    tags,
    response: { 200: z.object({ releases: z.array(releaseReport) }) },
  },
  figures: {
    summary: "What a release is judged by: versions in memory, and how those that were asked do",
    tags,
    response: { 200: versionFigures },
  },
  look: {
    summary: "Have the host look for a new release at once, not in two seconds",
    description: "It only looks at the manifest that the stack's key has signed. Asked often, it looks every 200 ms.",
    tags,
    response: { 202: z.object({ looks: z.literal(true) }) },
  },
};

/** `GET /v1/release`, `/v1/releases` and `/v1/release/figures`, `POST /v1/release/look`: what the host's agent does, and its wake-up. */
export function releaseRoutes(
  app: FastifyInstance,
  { releases, frontend }: Pick<ServingConfig, "releases" | "frontend">,
  hub: Pick<Hub, "figures">,
): void {
  const wake = frontend.stateDir === undefined ? undefined : agentWaker(frontend.stateDir);

  // written whole by the agent, of the same payload as this process or of the one after it
  app.get("/v1/release", { config: reads, schema: schemas.status }, async (_request, reply) => {
    const text = await readTextIfExists(releases.statusFile);
    if (text === undefined) throw new HttpError(404, "NO_RELEASE", "no release has come to this host yet");
    return reply.type("application/json; charset=utf-8").send(text);
  });

  app.get("/v1/releases", { config: reads, schema: schemas.history }, async (_request, reply) => {
    const lines = (await readTextIfExists(releases.historyFile))?.split("\n").filter((line) => line !== "") ?? [];
    return reply.type("application/json; charset=utf-8").send(`{"releases":[${lines.reverse().join(",")}]}`);
  });

  app.get("/v1/release/figures", { config: reads, schema: schemas.figures }, async () =>
    versionFiguresIn(await hub.figures()),
  );

  app.post(
    "/v1/release/look",
    { config: { role: "deploy", openWithoutTokens: true }, schema: schemas.look },
    async (_request, reply) => {
      if (wake === undefined) throw new HttpError(404, "NO_AGENT", "no agent of a stack watches this frontend");
      await wake();
      return reply.code(202).send({ looks: true });
    },
  );
}
