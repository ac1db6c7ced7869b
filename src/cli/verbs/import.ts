import type { ImportOptions } from "../../engine/engine.ts";
import { withStackLock } from "../../release/stack-lock.ts";
import { confirmByName } from "../confirm.ts";
import { showEngineChoice, showMessages, summary } from "../engine-progress.ts";
import { nameAndUrn } from "../name-and-urn.ts";
import { eventLogOption } from "../options.ts";
import { Plan } from "../plan/plan.ts";
import { planText } from "../plan/plan-text.ts";
import { plainPage, stdoutPage } from "../ui/page.ts";
import { verb as declare } from "../verb.ts";
import { openWorkspace, requireOwnCloud } from "../workspace.ts";

const urnOption = { type: "string", requiresArg: true } as const;

export const verb = declare({
  options: {
    parent: {
      ...urnOption,
      describe: "the resource that it is a child of: its URN, or VARIABLE=URN to name it in the program",
    },
    provider: {
      ...urnOption,
      describe: "the provider to read it with, if not the default one: its URN, or VARIABLE=URN",
    },
    protect: {
      type: "boolean",
      default: true,
      describe: "keep it from being deleted until the program says otherwise",
    },
    "preview-only": { type: "boolean", default: false, describe: "show what would be imported, and save nothing" },
    "event-log": eventLogOption,
  },
  texts: {
    type: "its type, e.g. openstack:networking/network:Network",
    name: "what the program will call it",
    id: "what the cloud knows it by",
  },
  run: async ({ args, reporter, signal }) => {
    const given = args as typeof args & { type: string; name: string; id: string; previewOnly: boolean };
    const { type, name, id, protect, previewOnly } = given;
    const parent = nameAndUrn("parent", args.parent);
    const provider = nameAndUrn("provider", args.provider);
    const resource = {
      ...{ type, name, id },
      ...(parent === undefined ? {} : { parent: parent.urn }),
      ...(provider === undefined ? {} : { provider: provider.urn }),
    };
    const nameTable = { ...parent?.table, ...provider?.table };
    const workspace = await openWorkspace(args);
    showEngineChoice(reporter, workspace.engineChoice);
    const { engine, reference, stack, stackHome } = workspace;
    await requireOwnCloud(workspace);
    const take = async (manner: Pick<ImportOptions, "previewOnly">) => {
      const plan = new Plan();
      const messages = showMessages((line) => reporter.note(line));
      const onEvent: ImportOptions["onEvent"] = (event) => {
        messages(event);
        plan.take(event);
      };
      const options = { onEvent, signal, protect, nameTable, ...manner };
      const { changes, program } = await reporter.phase("import", `${name} into ${stack}`, () =>
        engine.importResources(reference, [resource], options),
      );
      return { changes, program, plan };
    };
    if (!previewOnly && !args.yes) {
      const { plan } = await take({ previewOnly: true });
      for (const line of planText(plan, plainPage)) reporter.note(line);
      await confirmByName(stack, `importing ${name} into ${stack}`, signal);
    }
    const { changes, program, plan } = previewOnly
      ? await take({ previewOnly })
      : await withStackLock(stackHome, `import ${name}`, () => take({}));
    reporter.result(
      {
        ok: true,
        ...{ stack, engine: engine.kind, previewOnly, changes },
        plan: planText(plan, plainPage),
        program,
        timings: reporter.timings,
      },
      [
        ...planText(plan, stdoutPage()),
        summary(changes, previewOnly ? "planned" : "done"),
        ...(program === "" ? [] : ["", ...(previewOnly ? [] : advice(protect)), "", program]),
      ].join("\n"),
    );
  },
});

function advice(protect: boolean): string[] {
  return [
    "Add this to the program: what it does not declare, the next up wants to delete.",
    ...(protect ? ["It is protected: it can be deleted after an up without `protect` in its options."] : []),
  ];
}
