import { chmod, cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { parse } from "yaml";
import { cacheHome } from "../../src/common/home.ts";
import { CommandError, run } from "../../src/common/process.ts";
import { logIn, postJson } from "../e2e/openstack-http.ts";
import { Slipway } from "../e2e/slipway.ts";
import { ServedProject } from "../ledger/served-project.ts";

// The workflows that `init ci` writes, executed: the lines of each job by bash, in folders as CI has them after a checkout.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

const page = join(import.meta.dirname, "../../docs/how-to/ci.md");
const passphrase = "a team's passphrase";
let served: ServedProject;
let bin: string;
let secrets: Record<string, string>;
let notes: { url: string; body: string; token: unknown }[];
let gitlabApi: Server;

beforeAll(async () => {
  served = await ServedProject.create();
  const { slipway, cloud } = served.project;
  bin = join(slipway.projectRoot, "commands");
  await mkdir(bin);
  // what a runner brings along and what cannot run here: gh writes down what it is told
  await writeFile(
    join(bin, "gh"),
    '#!/bin/sh\nprintf "%s\\n" "$*" >> gh.log\ncase "$*" in *--edit-last*) exit 1;; esac\n',
  );
  await writeFile(
    join(bin, "slipway"),
    `#!/bin/sh\nexec ${process.execPath} ${join(import.meta.dirname, "../../src/cli/main.ts")} "$@"\n`,
  );
  for (const name of ["gh", "slipway"]) await chmod(join(bin, name), 0o755);
  const { headers } = await logIn(slipway);
  const subject = { ...headers, "x-subject-token": headers["x-auth-token"] ?? "" };
  const shown = await fetch(`${cloud.authUrl}/auth/tokens`, { headers: subject });
  const { token } = (await shown.json()) as { token: { user: { id: string } } };
  const url = `${cloud.authUrl}/users/${token.user.id}/application_credentials`;
  const made = await postJson(url, { application_credential: { name: "ci" } }, headers);
  const { application_credential: credential } = (await made.json()) as {
    application_credential: { id: string; secret: string };
  };
  secrets = {
    OS_AUTH_URL: cloud.authUrl,
    OS_REGION_NAME: "RegionOne",
    OS_APPLICATION_CREDENTIAL_ID: credential.id,
    OS_APPLICATION_CREDENTIAL_SECRET: credential.secret,
    PULUMI_CONFIG_PASSPHRASE: passphrase,
  };
  notes = [];
  gitlabApi = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      notes.push({ url: request.url ?? "", body: decodeURIComponent(body), token: request.headers["private-token"] });
      response.writeHead(201).end("{}");
    });
  });
  await new Promise<void>((resolve) => gitlabApi.listen(0, "127.0.0.1", resolve));
});
afterAll(async () => {
  gitlabApi?.close();
  await served?.remove();
});

/** What a command's environment is on every machine here. */
const common = () => ({
  PATH: `${bin}:${process.env.PATH}`,
  HOME: served.project.slipway.projectRoot,
  XDG_CACHE_HOME: join(cacheHome(), ".."),
  SLIPWAY_ENGINE: "embedded",
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? "",
});

/** Runs lines as a CI's bash does; answers status and what was printed. */
async function bash(lines: string, cwd: string, env: Record<string, string>) {
  try {
    const { stdout, stderr } = await run("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", lines], {
      cwd,
      env: { ...common(), ...env },
      timeoutMs: 120_000,
    });
    return { status: 0, said: stdout + stderr };
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return { status: error.exitCode, said: error.stdout + error.stderr };
  }
}

interface GithubStep {
  name?: string;
  run?: string;
  uses?: string;
  if?: string;
  env?: Record<string, string>;
}

/** Runs a job of a GitHub workflow: after a failed step only those with `if: always()`. */
async function githubJob(folder: string, name: string, values: Record<string, string>) {
  const workflow = parse(await readFile(join(folder, ".github/workflows/slipway.yml"), "utf8"));
  const filled = (env: Record<string, string> = {}) =>
    Object.fromEntries(
      Object.entries(env).map(([key, text]) => [
        key,
        String(text).replace(/\$\{\{ *([\w.]+) *\}\}/g, (_, path: string) => {
          const value = values[path] ?? secrets[path.replace(/^secrets\./, "")];
          if (value === undefined) throw new Error(`nothing gives ${path}`);
          return value;
        }),
      ]),
    );
  const summary = join(folder, "summary.md");
  await writeFile(summary, "");
  const outcome: { name: string; status: number | null }[] = [];
  let said = "";
  for (const step of workflow.jobs[name].steps as GithubStep[]) {
    if (step.run === undefined) continue; // actions of others: the checkout and Node are there
    if (outcome.some(({ status }) => status !== 0) && step.if !== "always()") continue;
    const env = { ...filled(workflow.env), ...filled(step.env), GITHUB_STEP_SUMMARY: summary };
    const ended = await bash(step.run, folder, env);
    outcome.push({ name: step.name ?? "", status: ended.status });
    said += ended.said;
  }
  return { outcome, said, summary: await readFile(summary, "utf8") };
}

/** Runs a job of a GitLab pipeline: `after_script` also after a failure. */
async function gitlabJob(folder: string, name: string, more: Record<string, string> = {}) {
  const pipeline = parse(await readFile(join(folder, ".gitlab-ci.yml"), "utf8"));
  const job = pipeline[name] as { script: string[]; after_script: string[] };
  const env = { ...pipeline.variables, ...secrets, ...more };
  const main = await bash([...pipeline.default.before_script, ...job.script].join("\n"), folder, env);
  const after = await bash(job.after_script.join("\n"), folder, env);
  return { status: main.status, said: main.said + after.said, after: after.status };
}

/** The repository as it is checked out, with the workflows in it. */
async function checkout(): Promise<Slipway> {
  const clone = await Slipway.create();
  onTestFinished(() => clone.removeFolder());
  for (const file of [".github", ".gitlab-ci.yml"])
    await cp(join(served.project.slipway.projectRoot, file), join(clone.projectRoot, file), { recursive: true });
  return clone;
}

describe("a workflow", () => {
  const env = { PULUMI_CONFIG_PASSPHRASE: passphrase };

  it("is written by the commands of the page, after the stack was brought up and its home saved", async () => {
    const text = await readFile(page, "utf8");
    const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, block = ""]) => block);
    expect(blocks).toHaveLength(2);
    for (const block of blocks) {
      const ended = await bash(block, served.project.slipway.projectRoot, env);
      expect(ended.status, ended.said).toBe(0);
    }
    const named = [...text.matchAll(/^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|/gm)].flatMap(([, names = ""]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    const workflow = await readFile(join(served.project.slipway.projectRoot, ".github/workflows/slipway.yml"), "utf8");
    const used = [...workflow.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name);
    expect([...new Set(used), "SLIPWAY_COMMENT_TOKEN"].sort()).toEqual(named.sort());
  });

  it("that was edited is not overwritten unless it is forced; an unedited one is", async () => {
    const { project } = served;
    const file = join(project.slipway.projectRoot, ".gitlab-ci.yml");
    const written = await readFile(file, "utf8");
    expect((await project.run(["init", "ci", "--gitlab", "--branch", "release"])).result).toMatchObject({ ok: true });
    expect(await readFile(file, "utf8")).toContain('$CI_COMMIT_BRANCH == "release"');
    await writeFile(file, `${written}# ours\n`);
    const refused = await project.run(["init", "ci", "--gitlab"]);
    expect(refused.exitCode).toBe(2);
    expect(refused.result.error).toMatchObject({ code: "E_USAGE", hint: expect.stringContaining("--force") });
    expect(await readFile(file, "utf8")).toBe(`${written}# ours\n`);
    expect((await project.run(["init", "ci", "--gitlab", "--force"])).result).toMatchObject({ ok: true });
    expect(await readFile(file, "utf8")).toBe(written);
    expect((await project.run(["init", "staging", "--github"])).exitCode).toBe(2);
  });

  it("of GitHub previews with a comment, deploys, and tells a deployment that failed, with the home saved all the same", async () => {
    const clone = await checkout();
    const request = { "github.token": "t", "github.event.pull_request.number": "7" };
    const preview = await githubJob(clone.projectRoot, "preview", request);
    expect(
      preview.outcome.map(({ status }) => status),
      preview.said,
    ).toEqual([0, 0, 0]);
    expect(await readFile(join(clone.projectRoot, "comment.md"), "utf8")).toMatch(
      /^Plan for `production`\n~~~\n(.*\n)*nothing changes\n~~~\n$/,
    );
    expect(preview.summary).toContain("Plan for `production`");
    expect(await readFile(join(clone.projectRoot, "gh.log"), "utf8")).toBe(
      "pr comment 7 --body-file comment.md --edit-last\npr comment 7 --body-file comment.md\n",
    );

    const deploy = await githubJob(clone.projectRoot, "deploy", {});
    expect(
      deploy.outcome.map(({ status }) => status),
      deploy.said,
    ).toEqual([0, 0, 0, 0, 0]);
    expect(deploy.said).toContain("::notice title=slipway::production serves");
    expect(deploy.summary).toContain("golden rows came back right");

    // the pretended host's console tells of a later release with the old model, and never of this one
    const models = join(clone.projectRoot, "models/diabetes");
    await cp(join(models, "development"), join(models, "production"), { recursive: true });
    const failed = await githubJob(clone.projectRoot, "deploy", {});
    expect(
      failed.outcome.map(({ name, status }) => [name, status]),
      failed.said,
    ).toEqual([
      ["Fetch the stacks' state and keys", 0],
      ["Deploy", 7],
      ["Keep the stacks' state and keys", 0],
      ["Tell the result", 0],
    ]);
    expect(failed.said).toMatch(
      /^::error title=slipway::E_LOCKED: the host tells nothing of release \d+: it is at release 1000, .* serves diabetes version 1 \(sha256:/m,
    );
  });

  it("of GitLab previews with a note and deploys; a home that fell behind is not saved over", async () => {
    const clone = await checkout();
    const { port } = gitlabApi.address() as AddressInfo;
    const preview = await gitlabJob(clone.projectRoot, "preview", {
      CI_API_V4_URL: `http://127.0.0.1:${port}/api/v4`,
      CI_PROJECT_ID: "3",
      CI_MERGE_REQUEST_IID: "9",
      SLIPWAY_COMMENT_TOKEN: "token",
    });
    expect(preview, preview.said).toMatchObject({ status: 0, after: 0 });
    expect(notes).toEqual([
      {
        url: "/api/v4/projects/3/merge_requests/9/notes",
        body: expect.stringContaining("Plan+for+`production`"),
        token: "token",
      },
    ]);
    const deploy = await gitlabJob(clone.projectRoot, "deploy");
    expect(deploy, deploy.said).toMatchObject({ status: 0, after: 0 });

    // whoever brought the stack up has not looked since
    const late = await served.project.run(["home", "save"], { env });
    expect(late.exitCode).toBe(7);
    expect(late.result.error).toMatchObject({ code: "E_LOCKED", hint: expect.stringContaining("--force") });
    expect((await served.project.run(["home", "restore"], { env })).result).toMatchObject({ ok: true });
    const wrong = await served.project.run(["home", "restore"], { env: { PULUMI_CONFIG_PASSPHRASE: "another" } });
    expect(wrong.result.error).toMatchObject({ code: "E_PASSPHRASE_WRONG" });
  });
});
