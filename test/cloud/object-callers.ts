import { createHmac } from "node:crypto";
import { request } from "node:http";
import type { TestCloud } from "./support.ts";

/** Somebody who asks for objects besides the demo user. */
export interface Caller {
  token: string;
  userId: string;
  projectId: string;
}

/** A user of another project, or with another role in one that is there. */
export async function callerWith(cloud: TestCloud, name: string, role: string, inProject?: string): Promise<Caller> {
  const admin = { token: await cloud.adminToken() };
  const { body } =
    inProject === undefined ? await cloud.post("/identity/v3/projects", { project: { name } }, admin) : {};
  const projectId = inProject ?? body.project.id;
  const made = await cloud.post("/identity/v3/users", { user: { name, password: name } }, admin);
  const userId = made.body.user.id;
  const { roles } = (await cloud.get(`/identity/v3/roles?name=${role}`, admin)).body;
  await cloud.put(`/identity/v3/projects/${projectId}/users/${userId}/roles/${roles[0].id}`, undefined, admin);
  const login = { username: name, password: name, projectName: name };
  const answer = await cloud.authenticate(login, { project: { id: projectId } });
  return { token: answer.headers.get("x-subject-token") ?? "", userId, projectId };
}

/** The query of a temporary URL. @param path `/v1/AUTH_…/container/object` */
export function temporary(key: string, method: string, path: string): string {
  const expires = Math.floor(Date.now() / 1000) + 60;
  const signature = createHmac("sha256", key).update(`${method}\n${expires}\n${path}`).digest("hex");
  return `temp_url_sig=${signature}&temp_url_expires=${expires}`;
}

/** Asks for a path as it is, which `fetch` would tidy up, with headers as they are. */
export function rawAnswer(
  cloud: TestCloud,
  method: string,
  path: string,
  { headers = {}, body = "" }: { headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<{ status: number | undefined; headers: Record<string, unknown>; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "127.0.0.1",
        port: cloud.cloud.port,
        method,
        path,
        agent: false,
        headers: { "x-auth-token": cloud.token, ...headers },
      },
      async (answer) => {
        const parts: Buffer[] = [];
        try {
          for await (const part of answer) parts.push(part as Buffer);
          resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() });
        } catch (error) {
          reject(error);
        }
      },
    );
    call.on("error", reject);
    // not a string, with which Node would send the headers in UTF-8
    call.end(Buffer.from(body));
  });
}
