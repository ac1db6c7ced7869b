import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { bearer } from "../../common/bearer.ts";
import { causeOf, SlipwayError } from "../../common/errors.ts";
import { jobStates } from "../../serving/jobs/records.ts";
import { printable } from "../ui/reporter.ts";
import { type ServerSentEvent, serverSentEvents } from "./server-sent-events.ts";

const REQUEST_MS = 30_000;
/** A host that is starting, or whose queue is full, is asked again so often. */
const ATTEMPTS = 4;
const PAUSE_MS = 1000;
/** No host is waited for longer than this before it is asked again. */
const MOST_PAUSE_MS = 10_000;
/** Of a host that says every 15 s that it lives. */
const SILENCE_MS = 60_000;
/** For how long a host that does not answer any more is asked where its job is. */
const PATIENCE_MS = 60_000;

const stepSchema = z.object({ step: z.string(), state: z.enum(jobStates), reason: z.string().optional() });
const reportSchema = z.object({
  id: z.string(),
  state: z.enum(jobStates),
  reason: z.string().optional(),
  steps: z.array(stepSchema).optional(),
  result: z.unknown().optional(),
});
const refusalSchema = z.object({ error: z.object({ code: z.string(), message: z.string(), requestId: z.string() }) });

/** A job as a host tells it. */
export type HostJob = z.output<typeof reportSchema>;

/** A host's `/v1/jobs` (docs/reference/jobs.md), asked with a token. */
export class HostJobs {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #signal: AbortSignal;

  /** @param url of the host, without a path */
  constructor(url: string, token: string | undefined, signal: AbortSignal) {
    this.#url = url;
    this.#headers = { accept: "application/json", ...bearer(token) };
    this.#signal = signal;
  }

  /** Adds a job. The same key adds it once, however often a lost answer lets it be asked for again. Throws SlipwayError; the signal's reason. */
  async submit(body: object, key: string): Promise<HostJob> {
    const headers = { ...this.#headers, "content-type": "application/json", "idempotency-key": key };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    for (let attempt = 1; ; attempt++) {
      const answer = await this.#ask("/v1/jobs", init).catch((error: unknown) => {
        this.#signal.throwIfAborted();
        if (attempt === ATTEMPTS) throw error;
        return undefined;
      });
      if (answer?.ok) return reportSchema.parse(await answer.json());
      if (answer !== undefined && (answer.status !== 503 || attempt === ATTEMPTS)) throw await this.#refusal(answer);
      const asked = Number(answer?.headers.get("retry-after")) * 1000 || PAUSE_MS;
      await sleep(Math.min(asked, MOST_PAUSE_MS), undefined, { signal: this.#signal });
    }
  }

  /** Where a job is. Throws SlipwayError. */
  async find(id: string): Promise<HostJob> {
    const answer = await this.#ask(`/v1/jobs/${encodeURIComponent(id)}`, { headers: this.#headers });
    if (!answer.ok) throw await this.#refusal(answer);
    return reportSchema.parse(await answer.json());
  }

  /** Asks the host to end a job, also after the signal. */
  async cancel(id: string): Promise<void> {
    const init = { method: "DELETE", headers: this.#headers, signal: AbortSignal.timeout(REQUEST_MS) };
    const answer = await fetch(`${this.#url}/v1/jobs/${encodeURIComponent(id)}`, init);
    if (!answer.ok) throw await this.#refusal(answer);
  }

  /**
   * A job's events until it ends. A broken connection is made again, from where it broke.
   * @throws SlipwayError E_UNHEALTHY for a host that is gone for a minute; the signal's reason
   */
  async *follow(id: string): AsyncGenerator<ServerSentEvent> {
    let last = "";
    let heard = performance.now();
    for (;;) {
      const silence = new AbortController();
      const watch = setTimeout(() => silence.abort(new Error("the host went silent")), SILENCE_MS);
      try {
        for await (const event of serverSentEvents(this.#events(id, last, silence.signal, () => watch.refresh()))) {
          heard = performance.now();
          last = event.id;
          yield event;
          if (last.startsWith("end-")) return;
        }
      } catch (error) {
        this.#signal.throwIfAborted();
        if (error instanceof SlipwayError || performance.now() - heard > PATIENCE_MS) throw this.#gone(error);
      } finally {
        clearTimeout(watch);
      }
      await sleep(PAUSE_MS, undefined, { signal: this.#signal });
    }
  }

  async *#events(id: string, last: string, silence: AbortSignal, onPiece: () => void): AsyncGenerator<Uint8Array> {
    const headers = { ...this.#headers, accept: "text/event-stream", ...(last !== "" && { "last-event-id": last }) };
    const signal = AbortSignal.any([this.#signal, silence]);
    const answer = await fetch(`${this.#url}/v1/jobs/${encodeURIComponent(id)}/events`, { headers, signal });
    // a host that is starting, or has too many followers, is asked again
    if (answer.status >= 500) throw new Error(`the host answers ${answer.status}`);
    if (!answer.ok) throw await this.#refusal(answer);
    for await (const piece of answer.body ?? []) {
      onPiece();
      yield piece;
    }
  }

  #ask(path: string, init: RequestInit): Promise<Response> {
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(REQUEST_MS)]);
    return fetch(`${this.#url}${path}`, { ...init, signal }).catch((error: unknown) => {
      this.#signal.throwIfAborted();
      throw this.#gone(error);
    });
  }

  #gone(error: unknown): SlipwayError {
    if (error instanceof SlipwayError) return error;
    const cause = causeOf(error);
    return new SlipwayError("E_UNHEALTHY", `${this.#url} does not answer: ${cause}`, {
      hint: "Look with `slipway status` and `slipway check` whether the host serves.",
      cause: error,
    });
  }

  /** What a host's refusal is to the user. */
  async #refusal(answer: Response): Promise<SlipwayError> {
    const text = await answer.text().catch(() => "");
    const { code, message, requestId } = refusalIn(text) ?? {
      code: "",
      message: text.slice(0, 300),
      requestId: undefined,
    };
    const words = printable(`${this.#url} answers ${answer.status}: ${message}`);
    const details = requestId === undefined ? {} : { requestId };
    if (answer.status === 401 || answer.status === 403) {
      const hint = "Set SLIPWAY_TOKEN, or give --token-file, with a token of the role deploy.";
      return new SlipwayError("E_AUTH_FAILED", words, { hint, ...details });
    }
    if (code === "MODEL_UNKNOWN") {
      const hint = "Give as --parent the digest of one of the host's models.";
      return new SlipwayError("E_MODEL_UNKNOWN", words, { hint, ...details });
    }
    if (answer.status === 400 || answer.status === 413 || answer.status === 409) {
      return new SlipwayError("E_TRAINING_INVALID", words, details);
    }
    return new SlipwayError("E_UNHEALTHY", words, details);
  }
}

function refusalIn(text: string): z.output<typeof refusalSchema>["error"] | undefined {
  try {
    return refusalSchema.parse(JSON.parse(text)).error;
  } catch {
    return undefined; // no frontend of ours: a proxy's page
  }
}
