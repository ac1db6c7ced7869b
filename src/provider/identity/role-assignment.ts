import type { PropertyMap } from "../../engine/resource-provider.ts";
import { listAll } from "../../openstack/pages.ts";
import { deleteUnlessGone } from "../../openstack/waiting.ts";
import type { Context, ResourceKind } from "../kind.ts";
import { text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

/** The parts of an assignment's id, in their order. */
const parts = ["domainId", "projectId", "groupId", "userId", "roleId"] as const;
type Parts = Record<(typeof parts)[number], string>;

/** One assignment as Keystone lists it. */
interface Assignment {
  role: { id: string };
  user?: { id: string };
  group?: { id: string };
  scope: { project?: { id: string }; domain?: { id: string } };
}

/** `openstack_identity_role_assignment_v3`: its id is `domain/project/group/user/role`, empty where there is none. */
export const roleAssignment: ResourceKind = {
  type: "openstack:identity/roleAssignment:RoleAssignment",
  autoName: false,
  timeouts: {},
  properties: {
    region: text({ computed: true, replaces: true }),
    domainId: text({ replaces: true, conflictsWith: ["projectId"] }),
    projectId: text({ replaces: true, conflictsWith: ["domainId"] }),
    groupId: text({ replaces: true, conflictsWith: ["userId"] }),
    userId: text({ replaces: true, conflictsWith: ["groupId"] }),
    roleId: text({ required: true, replaces: true }),
  },

  async create({ session }, inputs) {
    const id = parts.map((name) => textOf(inputs, name) ?? "").join("/");
    const made = await session.request("identity", "PUT", pathOf(partsOf(id)), { expect: [204, 201, 200] });
    return { id, requestId: made.requestId };
  },

  async read(context, id) {
    const wanted = partsOf(id);
    return (await isAssigned(context, wanted)) ? (wanted as PropertyMap) : undefined;
  },

  delete: (context, id) =>
    deleteUnlessGone(context, () => context.session.request("identity", "DELETE", pathOf(partsOf(id)))),
};

function partsOf(id: string): Parts {
  const values = id.split("/");
  return Object.fromEntries(parts.map((name, index) => [name, values[index] ?? ""])) as Parts;
}

function pathOf({ domainId, projectId, groupId, userId, roleId }: Parts): string {
  const scope = projectId === "" ? `/domains/${domainId}` : `/projects/${projectId}`;
  const actor = userId === "" ? `/groups/${groupId}` : `/users/${userId}`;
  return `${scope}${actor}/roles/${roleId}`;
}

async function isAssigned({ session }: Context, wanted: Parts): Promise<boolean> {
  const given = (value: string) => (value === "" ? undefined : value);
  const listed = await listAll<Assignment>(session, "identity", "/role_assignments", "role_assignments", {
    "role.id": wanted.roleId,
    "user.id": given(wanted.userId),
    "group.id": given(wanted.groupId),
    "scope.project.id": given(wanted.projectId),
    "scope.domain.id": given(wanted.domainId),
  });
  return listed.some(
    ({ role, user, group, scope }) =>
      role.id === wanted.roleId &&
      (user?.id ?? "") === wanted.userId &&
      (group?.id ?? "") === wanted.groupId &&
      (scope.project?.id ?? "") === wanted.projectId &&
      (scope.domain?.id ?? "") === wanted.domainId,
  );
}
