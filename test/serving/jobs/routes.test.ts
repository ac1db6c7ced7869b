import { once } from "node:events";
import { connect } from "node:net";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { waitFor } from "../../../src/common/wait.ts";
import { storeOf } from "../../../src/serving/access/store.ts";
import { newToken } from "../../../src/serving/access/tokens.ts";
import { buildFrontend } from "../../../src/serving/frontend/app.ts";
import { placeOf } from "../../../src/serving/frontend/jobs/job-events.ts";
import { localHub } from "../../../src/serving/frontend/processes/hub.ts";
import { Meter } from "../../../src/serving/metrics/meter.ts";
import { queueAbsent } from "../../support/queue-server.ts";
import { prepareSurroundings, row, type Surroundings } from "../frontend/injected.ts";
import { type JobBench, openBench, until } from "./setup.ts";

const tokens = {
  read: newToken("looker", "read"),
  asker: newToken("asker", "predict"),
  other: newToken("other", "predict"),
  deploy: newToken("ci", "deploy"),
  admin: newToken("ada", "admin"),
};
type Who = keyof typeof tokens;
const access = { tokens: storeOf(Object.values(tokens).map(({ entry }) => entry)), sessionKey: new Uint8Array(32) };

function platform() {
  const meter = new Meter();
  return { access, meter, hub: localHub(meter) };
}

/** A row of the example model that tells the test's job process what to do. */
const does = (behaviour: number, number = 0) => [[behaviour, number, ...row.slice(2)]];

describe.skipIf(queueAbsent)(`the routes of jobs${queueAbsent ? ` (${queueAbsent})` : ""}`, () => {
  let bench: JobBench;
  let surroundings: Surroundings;
  let app: ReturnType<typeof buildFrontend>;
  let url: string;
  let worker: ReturnType<JobBench["work"]> | undefined;
  const named = (name?: string) => (name === undefined || name === "diabetes" ? surroundings.served : undefined);

  beforeAll(async () => {
    [bench, surroundings] = await Promise.all([openBench({ waitingJobs: 5 }), prepareSurroundings()]);
    const context = surroundings.contextWith({ find: named, findLast: named }, bench.jobs);
    const limits = { ...context.limits, jobRows: 500, eventClients: 2 };
    const config = {
      ...context.config,
      jobs: { ...context.config.jobs, heartbeatMs: 200 },
      frontend: { ...context.config.frontend, csvBytes: 1000, requestTimeoutMs: 1000 },
    };
    app = buildFrontend({ ...context, limits, config }, pino({ enabled: false }), platform());
    url = await app.listen({ host: "127.0.0.1", port: 0 });
  });
  afterEach(async () => {
    await worker?.close();
    worker = undefined;
    await bench.queues.redis.flushall();
  });
  afterAll(async () => {
    // fetch keeps connections, some of which it never used: Node takes those for busy ones
    app.server.closeAllConnections();
    await app.close();
    await Promise.all([bench.close(), surroundings.remove()]);
  });

  async function ask(who: Who, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${tokens[who].token}`,
        ...(body !== undefined && { "content-type": typeof body === "string" ? "text/csv" : "application/json" }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not computed with
      body: (text.startsWith("{") ? JSON.parse(text) : {}) as any,
    };
  }
  const create = async (rows = does(0), more = {}) =>
    (await ask("asker", "POST", "/v1/jobs", { rows, ...more })).body.id as string;

  it("take a job, tell of it, and give its result as JSON or CSV", async () => {
    const made = await ask("asker", "POST", "/v1/jobs", { rows: does(0) });
    expect(made.status).toBe(202);
    expect(made.headers.get("location")).toBe(`/v1/jobs/${made.body.id}`);
    expect(made.body).toMatchObject({ state: "waiting", kind: "predict", owner: "asker", created: expect.any(String) });
    const early = await ask("asker", "GET", `/v1/jobs/${made.body.id}/result`);
    expect([early.status, early.body.error.code]).toEqual([409, "RESULT_ABSENT"]);
    worker = bench.work();
    await until(bench.jobs, made.body.id, "completed");
    const told = await ask("asker", "GET", `/v1/jobs/${made.body.id}`);
    expect(told.body).toMatchObject({ state: "completed", attempts: 1, result: { rows: 1, predictions: [] } });
    expect((await ask("asker", "GET", `/v1/jobs/${made.body.id}/result`)).body.predictions).toEqual([]);
    const csv = await ask("asker", "GET", `/v1/jobs/${made.body.id}/result`, undefined, { accept: "text/csv" });
    expect(csv.headers.get("content-type")).toContain("text/csv");
    const ended = await ask("asker", "DELETE", `/v1/jobs/${made.body.id}`);
    expect([ended.status, ended.body.error.code]).toEqual([409, "JOB_ENDED"]);
  });

  it.each<[string, unknown, number, string]>([
    ["a bad row", { rows: [[1]] }, 400, "ROWS_INVALID"],
    ["no rows", {}, 400, "ROWS_INVALID"],
    ["too many rows", { rows: new Array(501).fill(row) }, 413, "ROWS_TOO_MANY"],
    ["an unknown field", { rows: [row], prioriti: "high" }, 400, "JOB_INVALID"],
    ["an unknown kind", { kind: "dream" }, 400, "JOB_INVALID"],
    ["an unknown priority", { rows: [row], priority: "urgent" }, 400, "JOB_INVALID"],
    ["a deadline in the past", { rows: [row], deadline: -1 }, 400, "JOB_INVALID"],
    ["a deadline after what is kept", { rows: [row], deadline: 1e9 }, 400, "JOB_INVALID"],
    ["a delay that is none", { rows: [row], delay: "soon" }, 400, "JOB_INVALID"],
    ["a model that does not serve", { rows: [row], model: "other" }, 404, "MODEL_UNKNOWN"],
    ["a training without the role", trainingBody(), 403, "ROLE_NEEDED"],
    ["a list", [], 400, "JOB_INVALID"],
    ["nothing", "", 400, "JOB_INVALID"],
  ])("refuse %s", async (_what, body, status, code) => {
    const headers = { "content-type": "application/json" };
    const answer = await ask("asker", "POST", "/v1/jobs", body === "" ? "null" : body, headers);
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    expect(await bench.queues.work.predictions.count()).toBe(0);
  });

  it("refuse a training whose specification or parent is wrong", async () => {
    const wrong = await ask("deploy", "POST", "/v1/jobs", { ...trainingBody(), spec: { kind: "network" } });
    expect([wrong.status, wrong.body.error.code]).toEqual([400, "JOB_INVALID"]);
    const parent = `sha256:${"0".repeat(64)}`;
    const orphan = await ask("deploy", "POST", "/v1/jobs", { ...trainingBody(), parent });
    expect([orphan.status, orphan.body.error.code]).toEqual([404, "MODEL_UNKNOWN"]);
  });

  it("take a CSV file as a stream, and none that is too long", async () => {
    const csv = `${row.join(",")}\n`;
    const made = await ask("asker", "POST", "/v1/jobs?priority=low&deadline=60", csv);
    expect(made.status).toBe(202);
    const { data } = (await bench.queues.work.predictions.getJob(made.body.id)) as {
      data: { spooled: { file: string } };
    };
    expect(data).toMatchObject({ priority: "low", deadlineS: 60, spooled: { format: "csv" } });
    expect(await bench.spool.size(data.spooled.file)).toBe(csv.length);
    const long = await ask("asker", "POST", "/v1/jobs", csv.repeat(100_000));
    expect([long.status, long.body.error.code]).toEqual([413, "UPLOAD_TOO_LARGE"]);
    const odd = await ask("asker", "POST", "/v1/jobs?colour=red", csv);
    expect([odd.status, odd.body.error.code]).toEqual([400, "JOB_INVALID"]);
    await ask("asker", "DELETE", `/v1/jobs/${made.body.id}`);
    expect(await bench.spool.size(data.spooled.file)).toBeUndefined();
  });

  it("do not wait for a file that stops coming", async () => {
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
    onTestFinished(() => void socket.destroy());
    const head = [
      "POST /v1/jobs HTTP/1.1",
      "host: x",
      `authorization: Bearer ${tokens.asker.token}`,
      "content-type: text/csv",
    ];
    socket.write(`${[...head, "content-length: 1000"].join("\r\n")}\r\n\r\n1,2`);
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 408 [\s\S]*REQUEST_TIMEOUT/);
    await once(socket, "close");
    expect(await bench.queues.work.predictions.count()).toBe(0);
  });

  it("keep to one job for a key, also of many rows, and keep one file for it", async () => {
    const rows = new Array(400).fill(row);
    const headers = { "idempotency-key": "mine" };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask("asker", "POST", "/v1/jobs", { rows }, headers)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const { data } = (await bench.queues.work.predictions.getJob(answers[0]?.body.id)) as {
      data: { spooled: { file: string } };
    };
    expect(await bench.spool.size(data.spooled.file)).toBe(400 * row.length * 4);
    expect(await bench.spool.sweep(-1, false)).toBe(1);
    const other = await ask("asker", "POST", "/v1/jobs", { rows: [row] }, headers);
    expect([other.status, other.body.error.code]).toEqual([409, "KEY_REUSED"]);
    const long = await ask("asker", "POST", "/v1/jobs", { rows: [row] }, { "idempotency-key": "k".repeat(201) });
    expect([long.status, long.body.error.code]).toEqual([400, "KEY_INVALID"]);
  });

  it("answer with a time to come back when too many wait", async () => {
    for (let job = 0; job < 5; job++) await create();
    const full = await ask("asker", "POST", "/v1/jobs", { rows: [row] });
    expect([full.status, full.body.error.code, full.headers.get("retry-after")]).toEqual([503, "QUEUE_FULL", "30"]);
  });

  it("show everyone their own jobs, and all to administrators", async () => {
    const id = await create();
    const theirs = (await ask("other", "POST", "/v1/jobs", { rows: [row] })).body.id;
    for (const path of ["", "/result", "/log", "/events"]) {
      expect((await ask("other", "GET", `/v1/jobs/${id}${path}`)).status).toBe(404);
    }
    expect((await ask("other", "DELETE", `/v1/jobs/${id}`)).status).toBe(404);
    expect((await ask("admin", "GET", `/v1/jobs/${id}`)).status).toBe(200);
    const listed = async (who: Who, query = "") =>
      (await ask(who, "GET", `/v1/jobs${query}`)).body.jobs.map((job: { id: string }) => job.id);
    expect(await listed("asker")).toEqual([id]);
    expect(await listed("admin")).toEqual([theirs, id]);
    expect(await listed("admin", "?state=completed")).toEqual([]);
    expect((await ask("asker", "GET", "/v1/jobs?state=odd")).status).toBe(400);
    expect((await ask("asker", "GET", "/v1/jobs?limit=0")).status).toBe(400);
  });

  it("let dead letters be listed, replayed and deleted by whose they are", async () => {
    worker = bench.work();
    const id = await create(does(5));
    await until(bench.jobs, id, "failed");
    const letters = async (who: Who) => (await ask(who, "GET", "/v1/dead-letters")).body;
    await waitFor("the letter", async () => (await letters("asker")).total === 1 || undefined, { timeoutMs: 5000 });
    expect((await letters("asker")).deadLetters).toMatchObject([
      { id, kind: "predict", owner: "asker", reason: "never", attempts: 1 },
    ]);
    expect((await letters("other")).total).toBe(0);
    expect((await letters("admin")).total).toBe(1);
    expect((await ask("other", "POST", `/v1/dead-letters/${id}/replay`)).status).toBe(404);
    expect((await ask("asker", "POST", `/v1/dead-letters/${id}/replay`)).status).toBe(202);
    await until(bench.jobs, id, "failed");
    await waitFor("the letter again", async () => (await letters("asker")).total === 1 || undefined, {
      timeoutMs: 5000,
    });
    expect((await ask("asker", "DELETE", `/v1/dead-letters/${id}`)).status).toBe(204);
    expect((await ask("asker", "DELETE", `/v1/dead-letters/${id}`)).status).toBe(404);
    expect((await ask("asker", "GET", `/v1/jobs/${id}`)).status).toBe(404);
  });

  it("keep schedules, for who may deploy", async () => {
    const schedule = { rhythm: { cron: "0 3 * * *" }, job: { rows: [row] } };
    expect((await ask("asker", "PUT", "/v1/schedules/nightly", schedule)).status).toBe(403);
    expect((await ask("deploy", "PUT", "/v1/schedules/nightly", schedule)).status).toBe(200);
    const { schedules } = (await ask("deploy", "GET", "/v1/schedules")).body;
    expect(schedules).toMatchObject([
      { name: "nightly", rhythm: { cron: "0 3 * * *" }, kind: "predict", next: expect.stringMatching(/T03:00:00/) },
    ]);
    for (const rhythm of [{ cron: "whenever" }, { everyS: 0 }, {}]) {
      const wrong = await ask("deploy", "PUT", "/v1/schedules/odd", { ...schedule, rhythm });
      expect([wrong.status, wrong.body.error.code]).toEqual([400, "JOB_INVALID"]);
    }
    expect((await ask("deploy", "DELETE", "/v1/schedules/nightly")).status).toBe(204);
    expect((await ask("deploy", "DELETE", "/v1/schedules/nightly")).status).toBe(404);
  });

  describe("events of a job", () => {
    interface Event {
      id: string;
      event: string;
      // biome-ignore lint/suspicious/noExplicitAny: events are looked at, not computed with
      data: any;
    }
    /** Follows a job until the server ends it, or `enough`; tells what came. */
    async function follow(
      id: string,
      headers: Record<string, string> = {},
      enough: (events: Event[], text: string) => boolean = () => false,
    ) {
      const abort = new AbortController();
      const answer = await fetch(`${url}/v1/jobs/${id}/events`, {
        headers: { authorization: `Bearer ${tokens.asker.token}`, ...headers },
        signal: AbortSignal.any([abort.signal, AbortSignal.timeout(20_000)]),
      });
      let text = "";
      const events: Event[] = [];
      if (answer.status === 200 && answer.body) {
        const decoder = new TextDecoder();
        for await (const part of answer.body) {
          text += decoder.decode(part as Uint8Array, { stream: true });
          events.length = 0;
          for (const block of text.split("\n\n").slice(0, -1)) {
            const [, eventId = "", event = "", data] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(block) ?? [];
            if (data) events.push({ id: eventId, event, data: JSON.parse(data) });
          }
          if (enough(events, text)) break;
        }
      }
      abort.abort();
      return { status: answer.status, events, text };
    }

    it("tell its states, progress and log, and end with it; what a client has is not told again", async () => {
      const id = await create(does(1, 500));
      const following = follow(id);
      worker = bench.work();
      const { events, text } = await following;
      expect(text.startsWith("retry: ")).toBe(true);
      const states = events.filter(({ event }) => event === "state").map(({ data }) => data.state);
      expect(states).toEqual(["waiting", "active", "completed"]);
      const lines = events.filter(({ event }) => event === "log").map(({ data }) => data.line);
      expect(lines).toEqual(Array.from({ length: 10 }, (_, at) => `step ${at + 1}`));
      expect(events.some(({ event, data }) => event === "progress" && data.total === 10)).toBe(true);
      expect(events.at(-1)?.id).toBe("end-10");

      const seventh = events.find(({ data }) => data.line === "step 7");
      const resumed = await follow(id, { "last-event-id": seventh?.id as string });
      expect(resumed.events.filter(({ event }) => event === "log").map(({ data }) => data.line)).toEqual([
        "step 8",
        "step 9",
        "step 10",
      ]);
      expect((await follow(id, { "last-event-id": "end-10" })).status).toBe(204);
      const { body } = await ask("asker", "GET", `/v1/jobs/${id}/log?from=8`);
      expect(body).toEqual({ from: 8, total: 10, lines: ["step 9", "step 10"] });
    });

    it("beat while nothing happens, end with a cancelled job, and are for some clients at a time", async () => {
      const id = await create();
      const first = follow(id);
      const second = follow(id, {}, (_, text) => text.includes(": still here"));
      expect((await second).text).toContain(": still here");
      const left = await waitFor(
        "the client that left to be forgotten",
        async () => {
          const others = await Promise.all([follow(id, {}, (events) => events.length > 0)]);
          return others[0]?.status === 200 ? others[0] : undefined;
        },
        { timeoutMs: 5000 },
      );
      expect(left.events[0]).toMatchObject({ event: "state", data: { state: "waiting" } });
      const third = follow(id);
      await waitFor("the limit", async () => ((await follow(id, {}, () => true)).status === 503 ? true : undefined), {
        timeoutMs: 5000,
      });
      await ask("asker", "DELETE", `/v1/jobs/${id}`);
      expect((await first).events.at(-1)).toMatchObject({ event: "state", data: { state: "cancelled" } });
      expect((await third).events.at(-1)).toMatchObject({ event: "state", data: { state: "cancelled" } });
    });

    it("bind nothing when clients disappear without a word", async () => {
      const id = await create();
      for (let client = 0; client < 6; client++) {
        const socket = connect({ host: "127.0.0.1", port: Number(new URL(url).port) });
        socket.on("error", () => undefined);
        socket.write(
          `GET /v1/jobs/${id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${tokens.asker.token}\r\n\r\n`,
        );
        await waitFor("its first event", async () => (socket.read() as Buffer | null) ?? undefined, {
          timeoutMs: 5000,
          intervalMs: 10,
        });
        socket.resetAndDestroy();
        await waitFor(
          "its place to be free",
          async () => {
            const { status } = await follow(id, {}, () => true);
            return status === 200 || undefined;
          },
          { timeoutMs: 5000 },
        );
      }
    });
  });

  it("show the queues to administrators alone, with nothing from elsewhere", async () => {
    await create();
    expect((await ask("deploy", "GET", "/admin/queues")).status).toBe(403);
    const page = await ask("admin", "GET", "/admin/queues");
    expect(page.status).toBe(200);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(page.text).not.toMatch(/(src|href)="(https?:)?\/\/|<%/);
    expect(page.text).toContain('<base href="/admin/queues/"');
    const files = [...page.text.matchAll(/(?:src|href)="(static\/[^"]+)"/g)].map(([, file]) => file);
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) expect((await ask("admin", "GET", `/admin/queues/${file}`)).status).toBe(200);
    expect((await ask("deploy", "GET", `/admin/queues/${files[0]}`)).status).toBe(403);
    for (const path of ["static/../index.ejs", "static/..%2f..%2fpackage.json", "static/nothing.js", "nothing"]) {
      expect((await ask("admin", "GET", `/admin/queues/${path}`)).status).toBe(404);
    }
    const { status, body } = await ask(
      "admin",
      "GET",
      "/admin/queues/api/queues?activeQueue=predictions&page=1&jobsPerPage=10",
    );
    expect(status).toBe(200);
    const queues = (body.queues as { name: string; counts: Record<string, number> }[]).map(({ name }) => name);
    expect(queues.sort()).toEqual(["dead-letters", "maintenance", "predictions", "training"]);
    expect(body.queues.find(({ name }: { name: string }) => name === "predictions").counts.prioritized).toBe(1);
    expect((await ask("admin", "PUT", "/admin/queues/api/queues/predictions/pause", {})).status).toBe(200);
    expect(await bench.queues.work.predictions.isPaused()).toBe(true);
    await bench.queues.work.predictions.resume();
  });

  it("answer 503 while the queue's server is away, and go on by themselves", async () => {
    const other = await openBench({ persistent: true });
    const context = surroundings.contextWith({}, other.jobs);
    const away = buildFrontend(context, pino({ enabled: false }), platform());
    const post = () =>
      away.inject({
        method: "POST",
        url: "/v1/jobs",
        headers: { authorization: `Bearer ${tokens.asker.token}` },
        payload: { rows: [row] },
      });
    try {
      const before = await post();
      expect(before.statusCode).toBe(202);
      await other.server.stop("SIGKILL");
      const refused = await post();
      expect([refused.statusCode, refused.json().error.code, refused.headers["retry-after"]]).toEqual([
        503,
        "QUEUE_UNAVAILABLE",
        "5",
      ]);
      await other.server.restart();
      await waitFor("jobs to be taken", async () => (await post()).statusCode === 202 || undefined, {
        timeoutMs: 10_000,
      });
      const headers = { authorization: `Bearer ${tokens.asker.token}` };
      const kept = await away.inject({ url: `/v1/jobs/${before.json().id}`, headers });
      expect(kept.json()).toMatchObject({ state: "waiting" });
    } finally {
      await away.close();
      await other.close();
    }
  });
});

describe("the place of an event", () => {
  it.each([
    ["7", { from: 7, ended: false }],
    ["end-7", { from: 7, ended: true }],
    [undefined, { from: 0, ended: false }],
    ["nonsense", { from: 0, ended: false }],
    ["-1", { from: 0, ended: false }],
    ["99999999999999", { from: 0, ended: false }],
  ])("%s", (id, place) => {
    expect(placeOf(id)).toEqual(place);
  });
});

function trainingBody() {
  return {
    kind: "train",
    spec: { kind: "external", trainer: "none", task: "binary" },
    data: { text: "1,2\n" },
  };
}
