import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { bearer } from "../../common/bearer.ts";
import { messageOf } from "../../common/errors.ts";
import type { Notify } from "./prober.ts";
import type { WorkerHealth, WorkerRegistration } from "./registration.ts";
import type { WorkersSettings } from "./settings.ts";

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 500;
const TIMEOUT_MS = 3000;

/** Replaces `$id`, `$models` and the like by a worker's; a `$name` that means nothing stays as it is. */
function messageFor(template: string, worker: WorkerRegistration, health: WorkerHealth): string {
  const place = worker.kind === "http" ? worker : worker.address;
  const values: Record<string, string | number | undefined> = {
    id: worker.id,
    host: place.host,
    port: place.port,
    models: worker.models.map((model) => (typeof model === "string" ? model : model.name)).join(", "),
    state: health.state,
    since: health.since,
    reason: health.reason ?? "",
    failures: health.failures,
  };
  return template.replace(/\$([a-z]+)/g, (whole, name: string) => String(values[name] ?? whole));
}

/**
 * Tells a webhook by `POST` with JSON: `{event, id, models, message, state, since, reason?}`. Three attempts; then the log tells it, and
 * without a webhook only the log does.
 */
export function webhookNotifier(
  { webhook, messages }: Pick<WorkersSettings, "webhook" | "messages">,
  log: Pick<Logger, "warn">,
): Notify {
  return async (event, worker, health) => {
    const message = messageFor(messages[event], worker, health);
    log.warn({ event, id: worker.id }, message);
    if (!webhook) return;
    const { state, since, reason } = health;
    const body = JSON.stringify({ event, id: worker.id, models: worker.models, message, state, since, reason });
    for (let attempt = 1, pauseMs = FIRST_PAUSE_MS; ; attempt++, pauseMs *= 2) {
      try {
        await post(webhook, body);
        return;
      } catch (error) {
        if (attempt === ATTEMPTS) {
          log.warn({ id: worker.id, reason: messageOf(error) }, "the webhook was not told");
          return;
        }
        await sleep(pauseMs, undefined, { ref: false });
      }
    }
  };
}

async function post({ url, tokenFile }: NonNullable<WorkersSettings["webhook"]>, body: string): Promise<void> {
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
  const answer = await fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...bearer(token) },
    redirect: "error",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the webhook answered ${answer.status}`);
}
