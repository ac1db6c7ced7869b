/** Who may import whom. The reasons are in docs/explanation/house.md. */
const forbid = (name, from, to, comment) => ({ name, severity: "error", comment, from, to });

module.exports = {
  forbidden: [
    forbid("no-cycles", {}, { circular: true }, "a cycle means that two files are one"),
    forbid(
      "cloud-shares-no-mistake-with-its-client",
      { path: "^src/cloud" },
      { path: "^src/(?!cloud|common)" },
      "client and emulator must not share a mistake",
    ),
    forbid(
      "engine-knows-no-openstack",
      { path: "^src/engine" },
      { path: "^src/(?!engine|common)" },
      "the engine runs any program",
    ),
    forbid(
      "engines-work-without-the-official-one",
      { path: "^src/engine/(?!official)" },
      { path: "^src/engine/official" },
      "either engine works without the other",
    ),
    forbid(
      "plugins-are-loaded-when-needed",
      { path: "^src/engine/embedded" },
      { path: "^src/engine/plugins", dependencyTypesNot: ["dynamic-import", "type-only"] },
      "a gRPC client takes a fifth of a second to load",
    ),
    forbid(
      "guest-side-is-alone",
      { path: "^src/(serving|guest)" },
      { path: "^src/(?!serving|guest|common)" },
      "what runs inside a host imports nothing of the control side",
    ),
    forbid(
      "provider-uses-openstack-and-the-engine-seam",
      { path: "^src/provider" },
      { path: "^src/(?!provider|openstack|common|engine/resource-provider)" },
      "resources are declarations over the API",
    ),
    forbid(
      "one-module-knows-pkgcloud",
      { path: "^(src|stacks|test)", pathNot: "^(src/openstack/pkgcloud|test/conformance/clients/pkgcloud)" },
      { path: "node_modules/pkgcloud" },
      "its traps are known in one place",
    ),
    forbid(
      "pkgcloud-is-loaded-when-needed",
      { path: "^src/openstack/pkgcloud" },
      { path: "node_modules/pkgcloud", dependencyTypesNot: ["dynamic-import", "type-only"] },
      "loading it takes a tenth of a second",
    ),
    forbid("nobody-imports-the-cli", { path: "^src/(?!cli)" }, { path: "^src/cli" }, "cli composes everything"),
    forbid("common-is-the-ground-floor", { path: "^src/common" }, { path: "^src/(?!common)" }, "common imports nothing"),
    forbid(
      "one-module-of-ssh2",
      { path: "^src/(?!remote)" },
      { path: "node_modules/ssh2" },
      "no login without a pinned key: nobody else speaks SSH",
    ),
    forbid("src-imports-no-tests", { path: "^(src|stacks)" }, { path: "^test" }, "tests stay outside"),
  ],
  options: { doNotFollow: { path: "node_modules" }, tsPreCompilationDeps: true, tsConfig: { fileName: "tsconfig.json" } },
};
