import { booleanLike } from "../http/body.ts";
import { isAdmin, type Scope } from "../identity/scope.ts";
import { projectOf } from "../identity/tokens.ts";
import type { Collection, Store } from "../store/store.ts";
import { cinder } from "./errors.ts";

/** A volume type. */
export interface VolumeType {
  id: string;
  name: string;
  description: string | null;
  isPublic: boolean;
  extraSpecs: Record<string, string | null>;
  qosSpecsId: string | null;
  /** Which projects may use it while it is not public. */
  projects: string[];
}

/** The type that there always is, named as Cinder names its own default. */
export const defaultTypeId = "6b4f0b5e-0c5c-5f0e-8a53-2f4d1c0a7b11";

/** The types; the default one is made where there is none yet. */
export function typeTable(store: Store): Collection<VolumeType> {
  const types = store.collection<VolumeType>("volume-type");
  if (types.get(defaultTypeId) === undefined) {
    types.put({
      id: defaultTypeId,
      name: "__DEFAULT__",
      description: "Default Volume Type",
      isPublic: true,
      extraSpecs: {},
      qosSpecsId: null,
      projects: [],
    });
  }
  return types;
}

/** A project's own default type. */
export interface DefaultType {
  /** The project's id. */
  id: string;
  typeId: string;
}

export function defaultTypeTable(store: Store): Collection<DefaultType> {
  return store.collection("volume-default-type");
}

/** The type if the scope may see it. */
export function visibleType(types: Collection<VolumeType>, scope: Scope, id: string): VolumeType {
  const type = types.get(id);
  if (type === undefined || !isVisibleType(type, scope)) throw cinder.typeNotFound(id);
  return type;
}

export function isVisibleType({ isPublic, projects }: VolumeType, scope: Scope): boolean {
  return isPublic || isAdmin(scope) || projects.includes(projectOf(scope).id);
}

/** The type that a request names, by id or name. @throws ApiError 404 */
export function typeByReference(types: Collection<VolumeType>, scope: Scope, reference: string): VolumeType {
  const found =
    types.get(reference) ??
    types.find(({ name, ...type }) => name === reference && isVisibleType({ name, ...type }, scope));
  if (found === undefined || !isVisibleType(found, scope)) throw cinder.typeNotFoundByName(reference);
  return found;
}

/**
 * Whether an administrator who asks so is told of it: of the public ones unless `is_public` asks for the others, or with `None` for all.
 * @throws ApiError 400
 */
export function isAskedFor({ isPublic }: { isPublic: boolean }, asked: string | undefined): boolean {
  if (asked === undefined) return isPublic;
  if (/^none$/i.test(asked)) return true;
  const { data, success } = booleanLike.safeParse(asked);
  if (!success) throw cinder.badRequest(`Invalid is_public filter [${asked}]`);
  return data === isPublic;
}
