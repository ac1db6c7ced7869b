import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from "fastify";
import { z } from "zod";
import { openSession, SESSION_MS, sealSession } from "../../access/session.ts";
import { loggedIn, loginForm } from "../../web/login.ts";
import { type Access, requireSameOrigin, SESSION_COOKIE, sessionOf } from "../auth.ts";
import type { FrontendContext } from "../context.ts";
import { HttpError } from "../errors.ts";
import { pageResponse } from "../openapi/openapi.ts";
import { describing } from "../schemas.ts";
import { sendPage } from "./page-reply.ts";

/** Guesses at a token that one address may make in a minute. */
const LOGIN_ATTEMPTS = { requests: 10, seconds: 60 };

const tags = ["access"];
const elsewhere = { description: "on to a page, with or without a session" };
const to = z.string().optional().describe("the page to come back to");
const schemas: Record<"form" | "login" | "logout", FastifySchema> = {
  form: {
    summary: "The form that takes a token; who is logged in",
    tags,
    querystring: describing(z.object({ to })),
    response: { 200: pageResponse() },
  },
  login: {
    summary: "A session for a token",
    tags,
    body: {
      content: { "application/x-www-form-urlencoded": { schema: describing(z.object({ token: z.string(), to })) } },
    },
    response: { 303: elsewhere },
  },
  logout: { summary: "The end of a session", tags, response: { 303: elsewhere } },
};

/**
 * `/login` and `/logout`: a browser gives its token once and keeps a sealed session instead, in a cookie that no script can read and no
 * other site can send.
 */
export function loginRoutes(app: FastifyInstance, context: FrontendContext, access: Access): void {
  const { tokens, sessionKey } = access;
  const show = (request: FastifyRequest, reply: FastifyReply, view: ReturnType<typeof loginForm>) =>
    sendPage(context, request, reply.header("cache-control", "no-store"), view);

  app.get("/login", { config: { role: "public" }, schema: schemas.form }, async (request, reply) => {
    if (!tokens) throw new HttpError(404, "NOT_FOUND", "this host has no tokens: nobody needs to log in");
    const session = sessionOf(request);
    const entry = session === undefined ? undefined : openSession(session, tokens, sessionKey);
    const { to } = request.query as { to?: unknown };
    return show(request, reply, entry ? loggedIn(entry) : loginForm(ownPath(to), undefined));
  });

  app.post(
    "/login",
    { config: { role: "public", rateLimit: LOGIN_ATTEMPTS }, schema: schemas.login },
    async (request, reply) => {
      if (!tokens) throw new HttpError(404, "NOT_FOUND", "this host has no tokens: nobody needs to log in");
      requireSameOrigin(request);
      const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
      const to = ownPath(form.get("to"));
      const entry = tokens.find((form.get("token") ?? "").trim());
      if (!entry) return show(request, reply.code(401), loginForm(to, "That token is unknown or has expired"));
      setSession(request, reply, sealSession(entry, sessionKey), SESSION_MS / 1000);
      return reply.redirect(to, 303);
    },
  );

  app.post("/logout", { config: { role: "public" }, schema: schemas.logout }, async (request, reply) => {
    requireSameOrigin(request);
    setSession(request, reply, "", 0);
    return reply.redirect("/login", 303);
  });
}

function setSession({ protocol }: FastifyRequest, reply: FastifyReply, session: string, seconds: number): void {
  const secure = protocol === "https" ? "; Secure" : "";
  reply.header(
    "set-cookie",
    `${SESSION_COOKIE}=${session}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`,
  );
}

/** A path of this host; what leads elsewhere leads to the start. */
function ownPath(to: unknown): string {
  return typeof to === "string" && /^\/(?![/\\])[!-[\]-~]*$/.test(to) ? to : "/";
}
