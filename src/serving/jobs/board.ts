import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import type { Queues } from "./queues.ts";

/** What Bull Board answers: a status and JSON. */
interface BoardAnswer {
  status: number;
  body: unknown;
}

/** What is asked of Bull Board's API. */
interface BoardQuestion {
  method: string;
  /** Below the board's own path, e.g. `/api/queues`. */
  path: string;
  query: Record<string, unknown>;
  body: Record<string, unknown>;
  headers: Record<string, string | undefined>;
}

/** Bull Board without a web server of its own. */
export interface Board {
  /** The answer of its API; undefined for a path that is none of its. */
  ask(question: BoardQuestion): Promise<BoardAnswer | undefined>;
  /** The values that its page's template wants, for a path that shows the page. */
  page(path: string, basePath: string): Record<string, string> | undefined;
}

type Adapter = Parameters<typeof createBullBoard>[0]["serverAdapter"];
type Given<M extends keyof Adapter> = Parameters<Adapter[M]>[0];

/** Opens the board over all queues; `assets` is where its page's files lie. */
export function openBoard({ work, deadLetters }: Queues, assets: string): Board {
  const given: {
    queues?: Given<"setQueues">;
    uiConfig?: Given<"setUIConfig">;
    entry?: Given<"setEntryRoute">;
    routes?: Given<"setApiRoutes">;
    onError?: Given<"setErrorHandler">;
  } = {};
  const adapter = {} as Adapter;
  const set = (name: keyof typeof given) => (value: never) => {
    given[name] = value;
    return adapter;
  };
  Object.assign(adapter, {
    setQueues: set("queues"),
    setUIConfig: set("uiConfig"),
    setEntryRoute: set("entry"),
    setApiRoutes: set("routes"),
    setErrorHandler: set("onError"),
    // we send the files ourselves
    setViewsPath: () => adapter,
    setStaticPath: () => adapter,
  });
  const queues = [...Object.values(work), deadLetters].map((queue) => new BullMQAdapter(queue));
  createBullBoard({
    queues,
    serverAdapter: adapter,
    options: { uiBasePath: assets, uiConfig: { boardTitle: "Queues" } },
  });
  const routes = (given.routes ?? []).flatMap(({ method, route, handler }) =>
    [route].flat().map((path) => ({
      methods: [method].flat().map((one) => one.toUpperCase()),
      pattern: patternOf(path),
      handler,
    })),
  );
  const pages = [given.entry?.route ?? []].flat().map(patternOf);
  const uiConfig = given.uiConfig ?? {};
  return {
    ask: async ({ method, path, query, body, headers }) => {
      for (const { methods, pattern, handler } of routes) {
        const match = methods.includes(method) ? pattern.exec(path) : null;
        if (!match) continue;
        const params = Object.fromEntries(
          Object.entries(match.groups ?? {}).map(([name, value]) => [name, decodeURIComponent(value)]),
        );
        try {
          const answer = await handler({ queues: given.queues ?? new Map(), uiConfig, query, params, body, headers });
          return { status: answer.status ?? 200, body: answer.body };
        } catch (error) {
          const answer = given.onError?.(error as Error);
          return { status: answer?.status ?? 500, body: answer?.body };
        }
      }
      return undefined;
    },
    page: (path, basePath) =>
      pages.some((pattern) => pattern.test(path)) ? given.entry?.handler({ basePath, uiConfig }).params : undefined,
  };
}

/** Matches a path with `:name` segments, and gives the segments their names. */
function patternOf(route: string): RegExp {
  const segments = route.split("/").map((segment) => {
    return segment.startsWith(":") ? `(?<${segment.slice(1)}>[^/]+)` : segment.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${segments.join("/")}$`);
}
