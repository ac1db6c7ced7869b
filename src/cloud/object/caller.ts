import type { Scope } from "../identity/scope.ts";

/** Who asks. `referer` is the header of that name. */
export type Caller =
  | { kind: "token"; scope: Scope; referer: string | undefined }
  | { kind: "nobody"; referer: string | undefined }
  /** Of a temporary URL: may do everything in the account whose key signed it, or in the one container. */
  | { kind: "bearer"; projectId: string; containerId?: string };
