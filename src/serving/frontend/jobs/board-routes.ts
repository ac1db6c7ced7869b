import { createReadStream, existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type Board, openBoard } from "../../jobs/board.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { response } from "../openapi/openapi.ts";
import { fromQueue, requireQueue } from "./job-access.ts";

const PATH = "/admin/queues";

/** Its page sets styles from scripts; everything else comes from here, and nothing from elsewhere. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
  "connect-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'";

const types: Record<string, string> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".woff2": "font/woff2",
};

const schema = {
  summary: "Bull Board: the queues and their jobs, for people",
  tags: ["jobs"],
  response: { 200: response("a page, its files, or its own API", "text/html") },
};
const actionSchema = { ...schema, body: z.unknown() };

/** `/admin/queues`: Bull Board, for administrators. */
export function boardRoutes(app: FastifyInstance, context: FrontendContext): void {
  let opened: Promise<Board> | undefined;
  const board = (assets: string): Promise<Board> => {
    const { open } = requireQueue(context);
    opened ??= open()
      .then((queues) => openBoard(queues, assets))
      .catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
    return fromQueue(app.log, opened);
  };

  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const assets = boardAssets();
    if (assets === undefined) throw new HttpError(404, "NOT_FOUND", "Bull Board's files are not on this host");
    const path = (request.url.split("?")[0] as string).slice(PATH.length) || "/";
    if (path.startsWith("/static/")) return sendFile(reply, join(assets, "dist"), path);
    const shown = await board(assets);
    const page = request.method === "GET" ? shown.page(path.replace(/(.)\/$/, "$1"), PATH) : undefined;
    if (page) {
      return reply
        .type("text/html; charset=utf-8")
        .headers({
          "content-security-policy": CONTENT_SECURITY_POLICY,
          "cache-control": "no-store",
          "referrer-policy": "no-referrer",
        })
        .send(filled(await readFile(join(assets, "dist", "index.ejs"), "utf8"), page));
    }
    const found = await fromQueue(
      app.log,
      shown.ask({
        method: request.method,
        path,
        query: request.query as Record<string, unknown>,
        body: (request.body ?? {}) as Record<string, unknown>,
        headers: request.headers as Record<string, string | undefined>,
      }),
    );
    if (!found) throw new HttpError(404, "NOT_FOUND", `${request.method} ${path} is not Bull Board's`);
    return reply.code(found.status).send(found.body);
  };
  const config = { role: "admin" } as const;
  app.get(PATH, { config, schema }, answer);
  app.get(`${PATH}/*`, { config, schema }, answer);
  app.route({
    method: ["POST", "PUT", "PATCH", "DELETE"],
    url: `${PATH}/*`,
    config,
    schema: actionSchema,
    handler: answer,
  });
}

/** Where the page lies: beside the bundle on a host, else in its package; its folder `dist` holds the files. */
function boardAssets(): string | undefined {
  const beside = join(dirname(fileURLToPath(import.meta.url)), "bull-board");
  if (existsSync(beside)) return beside;
  try {
    return dirname(createRequire(import.meta.url).resolve("@bull-board/ui/package.json"));
  } catch {
    return undefined; // a bundle without it
  }
}

async function sendFile(reply: FastifyReply, folder: string, path: string): Promise<FastifyReply> {
  // names as the page has them: nothing leads out of the folder
  const known = /^(\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/.test(path) && types[extname(path)];
  const file = join(folder, path);
  const size = known
    ? await stat(file).then(
        (found) => (found.isFile() ? found.size : undefined),
        () => undefined,
      )
    : undefined;
  if (!known || size === undefined) throw new HttpError(404, "NOT_FOUND", `there is no ${path}`);
  return reply
    .type(known)
    .headers({ "cache-control": "private, max-age=3600", "content-length": size })
    .send(createReadStream(file));
}

/** The page's template with its values, without the fonts that it would load from elsewhere. */
function filled(template: string, values: Record<string, string>): string {
  return template
    .replace(/<link href="https?:[^>]*>\s*/g, "")
    .replace(/<%([-=]) (\w+) %>/g, (_, kind: string, name: string) => {
      const value = values[name] ?? "";
      return kind === "-" ? value : value.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
    });
}
