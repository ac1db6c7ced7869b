import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Html } from "../web/html.ts";
import { CONTENT_SECURITY_POLICY, page } from "../web/layout.ts";
import * as pages from "../web/pages.ts";
import { type FrontendContext, requireHello } from "./context.ts";
import type { HttpError } from "./errors.ts";
import { type Evaluation, evaluate, tableReader } from "./evaluation.ts";

/** `/`, `/predictions` and `/accuracy`: pages for people; the latter two answer JSON where it is asked for. */
export function pageRoutes(app: FastifyInstance, context: FrontendContext): void {
  const table = tableReader(context);

  // A form's body says nothing here: the button is all there is.
  app.addContentTypeParser("application/x-www-form-urlencoded", { parseAs: "string" }, (_request, _body, done) => {
    done(null, undefined);
  });

  app.get("/", async (request, reply) => {
    const hello = requireHello(context);
    const { rows } = await table(hello);
    const example = rows[0] ?? new Array<number>(hello.card.input.features).fill(0);
    return sendPage(context, reply, "Model", pages.welcome(hello, example, `${request.protocol}://${request.host}`));
  });

  const results = [
    { path: "/predictions", title: "Predictions", label: "Predict", show: pages.predictions, tell: tellPredictions },
    { path: "/accuracy", title: "Accuracy", label: "Compute the accuracy", show: pages.accuracy, tell: tellAccuracy },
  ];
  for (const { path, title, label, show, tell } of results) {
    const answer = async (request: FastifyRequest, reply: FastifyReply) => {
      const evaluation = await evaluate(context, table);
      return wantsJson(request) ? tell(evaluation) : sendPage(context, reply, title, show(evaluation));
    };
    app.post(path, answer);
    app.get(path, (request, reply) =>
      wantsJson(request) ? answer(request, reply) : sendPage(context, reply, title, pages.question(title, path, label)),
    );
  }
}

/** An error where a page was asked for. */
export function sendFailurePage({ config }: FrontendContext, reply: FastifyReply, error: HttpError): FastifyReply {
  return asPage(reply, page(config, "Error", pages.failure(error.statusCode, error.message)));
}

export function wantsJson({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes("application/json") ?? false;
}

function sendPage({ config }: FrontendContext, reply: FastifyReply, title: string, body: Html): FastifyReply {
  return asPage(reply, page(config, title, body));
}

function asPage(reply: FastifyReply, text: string): FastifyReply {
  return reply
    .type("text/html; charset=utf-8")
    .headers({
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cache-control": "no-store",
    })
    .send(text);
}

function tellAccuracy({ model, accuracy, predictions }: Evaluation) {
  return { model, accuracy: accuracy ?? null, rows: predictions.length };
}

function tellPredictions({ model, accuracy, predictions, labels }: Evaluation) {
  return {
    model,
    accuracy: accuracy ?? null,
    predictions: predictions.map((prediction, row) => ({ ...prediction, ...(labels && { label: labels[row] }) })),
  };
}
