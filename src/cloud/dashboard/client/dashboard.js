// The page's script. It has a key from the address or from who types it in, shows what the cloud has, and follows what it is asked.

/** @typedef {{ id: string, struck: number, times: number | null }} Armed */
/** @typedef {{ id: string, name: string, status: string, project: string, flavor: string, addresses: string[], fault: string | null }} Server */
/** @typedef {{ id: string, name: string, external: boolean, project: string, cidrs: string[], ports: number }} Network */
/** @typedef {{ id: string, address: string, fixedIp: string | null, server: string | null, project: string }} FloatingIp */
/** @typedef {{ id: string, does: string, armed: Armed | null }} Fault */
/** @typedef {{ servers: Server[], networks: Network[], floatingIps: FloatingIp[], faults: Fault[] }} Overview */
/** @typedef {{ at: string, id: string, method: string, url: string, status: number, ms: number, user?: string }} Answered */
/** @typedef {string | Node} Cell */

const KEPT_ROWS = 200;
/** What changes without a request: servers that boot. */
const LOOK_MS = 3000;
/** After a request that changes something. */
const SOON_MS = 300;
const AGAIN_MS = 2000;
const STORED = "slipway-dashboard-key";

let key = keyFromAddress() ?? sessionStorage.getItem(STORED) ?? "";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** The key leaves the address at once: it would stand in the history. */
function keyFromAddress() {
  const found = location.hash.slice(1);
  if (found === "") return undefined;
  history.replaceState(null, "", location.pathname);
  return found;
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @param {string} method
 * @param {string} path
 * @param {{ body?: unknown, signal?: AbortSignal }} [options]
 */
async function ask(method, path, { body, signal } = {}) {
  const answer = await fetch(`/dashboard/api${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (answer.status === 401) {
    askForKey("This key is not this cloud's.");
    throw new Error("the key is wrong");
  }
  if (!answer.ok) throw new Error((await answer.json()).message);
  return answer;
}

/** @param {string} problem */
function askForKey(problem) {
  clearTimeout(timer);
  key = "";
  sessionStorage.removeItem(STORED);
  tell("", "");
  element("cloud").hidden = true;
  element("login").hidden = false;
  element("login-problem").hidden = problem === "";
  element("login-problem").textContent = problem;
  element("key").focus();
}

/**
 * @param {string} state
 * @param {string} words
 */
function tell(state, words) {
  const place = element("state");
  if (place.dataset.state === state) return; // told once
  place.dataset.state = state;
  place.textContent = words;
}

/**
 * Writes a table's rows into those that are there: what did not change keeps the focus and the selection.
 * @param {string} id
 * @param {{ key: string, cells: () => Cell[] }[]} rows
 */
function writeRows(id, rows) {
  const body = element(id);
  for (const [at, { key: content, cells }] of rows.entries()) {
    const row = body.children[at] ?? body.appendChild(document.createElement("tr"));
    if (row.getAttribute("data-key") === content) continue;
    row.setAttribute("data-key", content);
    row.replaceChildren(...cells().map(newCell));
  }
  while (body.children.length > rows.length) body.lastElementChild?.remove();
  element(`${id}-none`).hidden = rows.length > 0;
}

/**
 * @param {Cell} content
 * @param {number} column
 */
function newCell(content, column) {
  const cell = document.createElement(column === 0 ? "th" : "td");
  if (column === 0) cell.setAttribute("scope", "row");
  cell.append(content);
  return cell;
}

/**
 * @param {string} text
 * @param {string} name
 * @param {() => void} work
 */
function button(text, name, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", name);
  made.addEventListener("click", work);
  return made;
}

/** @param {string} text */
function bad(text) {
  const made = document.createElement("span");
  made.className = "bad";
  made.textContent = text;
  return made;
}

/** @param {Overview} now */
function show(now) {
  writeRows(
    "servers",
    now.servers.map((server) => ({ key: JSON.stringify(server), cells: () => serverCells(server) })),
  );
  writeRows(
    "networks",
    now.networks.map((network) => ({
      key: JSON.stringify(network),
      cells: () => [
        network.external ? `${network.name} (external)` : network.name,
        network.cidrs.join(", "),
        String(network.ports),
        network.project,
      ],
    })),
  );
  writeRows(
    "floating-ips",
    now.floatingIps.map((one) => ({
      key: JSON.stringify(one),
      cells: () => [
        one.address,
        one.server === null ? (one.fixedIp ?? "") : `${one.server} (${one.fixedIp ?? ""})`,
        one.project,
      ],
    })),
  );
  writeRows(
    "faults",
    now.faults.map((fault) => ({ key: JSON.stringify(fault), cells: () => faultCells(fault) })),
  );
}

/** @param {Server} server */
function serverCells(server) {
  const { id, name, status, addresses, flavor, project, fault } = server;
  const state = status === "ERROR" ? bad(fault === null ? status : `${status}: ${fault}`) : status;
  return [
    name,
    state,
    addresses.join(", "),
    flavor,
    project,
    button("Console", `Console of ${name}`, () => void showConsole(id, name)),
  ];
}

/** @param {Fault} fault */
function faultCells({ id, does, armed }) {
  const act = armed === null ? "Arm" : "Disarm";
  const often = armed === null ? "" : `${armed.struck} of ${armed.times ?? "any number"}`;
  return [id, does, often, button(act, `${act} ${id}`, () => void turn(id, armed === null))];
}

/**
 * @param {string} id
 * @param {boolean} on
 */
async function turn(id, on) {
  try {
    await ask(on ? "PUT" : "DELETE", `/faults/${encodeURIComponent(id)}`, on ? { body: {} } : {});
    element("spoken").textContent = `${id} is ${on ? "armed" : "disarmed"}.`;
  } catch (error) {
    element("spoken").textContent = String(error);
  }
  await look();
  // the row was written anew
  const next = document.querySelector(`button[aria-label="${on ? "Disarm" : "Arm"} ${CSS.escape(id)}"]`);
  if (next instanceof HTMLElement) next.focus();
}

/**
 * @param {string} id
 * @param {string} name
 */
async function showConsole(id, name) {
  element("console-title").textContent = `Console of ${name}`;
  const place = element("console-text");
  place.textContent = "";
  /** @type {HTMLDialogElement} */ (element("console")).showModal();
  try {
    const answer = await ask("GET", `/servers/${encodeURIComponent(id)}/console`);
    place.textContent = (await answer.json()).console || "Nothing was written yet.";
    place.scrollTop = place.scrollHeight;
  } catch (error) {
    place.textContent = String(error);
  }
}

async function look() {
  clearTimeout(timer);
  try {
    show(await (await ask("GET", "/overview")).json());
  } catch {
    // the state tells it
  }
  if (key !== "") timer = setTimeout(() => void look(), document.hidden ? LOOK_MS * 10 : LOOK_MS);
}

/** @param {Answered} request */
function add(request) {
  const { at, method, url, status, ms, user } = request;
  const row = document.createElement("tr");
  const code = status >= 400 ? bad(String(status)) : String(status);
  row.append(...[new Date(at).toLocaleTimeString(), method, url, code, String(ms), user ?? ""].map(newCell));
  const body = element("requests");
  body.prepend(row);
  while (body.children.length > KEPT_ROWS) body.lastElementChild?.remove();
  element("requests-none").hidden = true;
  if (method === "GET" || method === "HEAD") return;
  clearTimeout(timer);
  timer = setTimeout(() => void look(), SOON_MS);
}

/** Follows the requests until the key is refused; a lost connection is made again. */
async function follow() {
  while (key !== "") {
    try {
      const answer = await ask("GET", "/requests");
      tell("live", "Live");
      element("requests").replaceChildren(); // the last ones come again
      const reader = /** @type {ReadableStream<Uint8Array>} */ (answer.body).getReader();
      const decoder = new TextDecoder();
      let text = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        text += decoder.decode(part.value, { stream: true });
        const events = text.split("\n\n");
        text = events.pop() ?? "";
        for (const event of events) if (event.startsWith("data: ")) add(JSON.parse(event.slice(6)));
      }
    } catch {
      // tried again
    }
    if (key === "") return;
    tell("lost", "Connection lost – trying again");
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function open() {
  element("login").hidden = true;
  sessionStorage.setItem(STORED, key);
  element("cloud").hidden = false;
  await look();
  void follow();
}

element("login").addEventListener("submit", (event) => {
  event.preventDefault();
  key = /** @type {HTMLInputElement} */ (element("key")).value.trim();
  void open();
});
element("console-close").addEventListener("click", () => /** @type {HTMLDialogElement} */ (element("console")).close());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && key !== "") void look();
});
if (key === "") askForKey("");
else void open();
