import {
  containerUrl,
  deleteContainer,
  ensureContainer,
  findContainer,
  publicReadAcl,
} from "../openstack/object/containers.ts";
import {
  deleteObject,
  getObject,
  headObject,
  listObjects,
  putNewObject,
  putObject,
  putObjectFile,
} from "../openstack/object/objects.ts";
import type { Session } from "../openstack/session.ts";
import type { ObjectStore } from "./object-store.ts";

/** The cloud's own object store. */
export function swiftStore(session: Session): ObjectStore {
  const list = async (container: string) => {
    if ((await findContainer(session, container)) === undefined) return undefined;
    return (await listObjects(session, container)).map(({ name }) => name);
  };
  return {
    async ensurePublicContainer(container) {
      await ensureContainer(session, container, publicReadAcl);
      return containerUrl(session, container);
    },
    async put(container, path, content, { contentType }) {
      if (typeof content === "object" && "file" in content) {
        await putObjectFile(session, container, path, content.file);
      } else {
        await putObject(session, container, path, content, contentType);
      }
    },
    async head(container, path) {
      const found = await headObject(session, container, path);
      return found && { size: found.size, ageMs: found.ageMs };
    },
    putNew: (container, path, content) => putNewObject(session, container, path, content),
    remove: (container, path) => deleteObject(session, container, path),
    get: (container, path) => getObject(session, container, path),
    list,
    async removeContainer(container) {
      for (const path of (await list(container)) ?? []) await deleteObject(session, container, path);
      await deleteContainer(session, container);
    },
  };
}
