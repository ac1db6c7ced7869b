import type { ProviderFunction } from "../function.ts";
import { flag, text } from "../schema/property.ts";
import { textOf } from "../schema/values.ts";

/** `openstack_identity_auth_scope_v3` as a data source: what the login says. Its id is the `name` that the program gives. */
export const getAuthScope: ProviderFunction = {
  token: "openstack:identity/getAuthScope:getAuthScope",
  args: { region: text(), name: text({ required: true }), setTokenId: flag() },
  async call({ session, region }, args) {
    const { user, project, domain, roles = [], catalog = [] } = await session.tokenBody();
    return {
      ...args,
      id: textOf(args, "name") ?? "",
      userId: user.id,
      userName: user.name,
      userDomainId: user.domain.id,
      userDomainName: user.domain.name,
      projectId: project?.id ?? "",
      projectName: project?.name ?? "",
      projectDomainId: project?.domain.id ?? "",
      projectDomainName: project?.domain.name ?? "",
      domainId: domain?.id ?? "",
      domainName: domain?.name ?? "",
      roles: roles.map(({ id, name }) => ({ roleId: id, roleName: name })),
      serviceCatalogs: catalog.map(({ id = "", name = "", type, endpoints }) => ({
        id,
        name,
        type,
        endpoints: endpoints.map((one) => ({
          id: one.id ?? "",
          interface: one.interface,
          region: one.region ?? "",
          regionId: one.region_id ?? "",
          url: one.url,
        })),
      })),
      ...(args.setTokenId === true ? { tokenId: await session.token() } : {}),
      region,
    };
  },
};
