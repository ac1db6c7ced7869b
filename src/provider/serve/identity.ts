/** The package that our provider stands in for. */
export const openstackPackage = "openstack";

/** The version of `@pulumi/openstack` whose behaviour our provider has. */
export const openstackVersion = "3.15.2";

/** Configuration that is sealed in states: what `@pulumi/openstack` marks secret. */
export const secretConfiguration = ["applicationCredentialSecret", "password", "token"];
