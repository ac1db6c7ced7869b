import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import Handlebars from "handlebars";
import { messageOf, SlipwayError } from "../common/errors.ts";
import { indentLines, quoteForShell, toJson, toYaml } from "./helpers.ts";

const helpers: Record<string, Handlebars.HelperDelegate> = {
  sh: (value) => quoteForShell(value),
  yaml: (value) => toYaml(value),
  json: (value) => toJson(value),
  /** Its named arguments as an object: `(object port=frontendPort)`. */
  object: (options: Handlebars.HelperOptions) => ({ ...options.hash }),
  indent(this: unknown, width: number, content: string | Handlebars.HelperOptions) {
    return indentLines(typeof content === "string" ? content : content.fn(this), width);
  },
};

/** The templates of a folder: `<name>.yaml.hbs`, partials below `partials/<name>.hbs`. */
export class TemplateFolder {
  readonly #folder: string;
  readonly #handlebars = Handlebars.create();

  constructor(folder: string) {
    this.#folder = folder;
    this.#handlebars.registerHelper(helpers);
    const partials = join(folder, "partials");
    for (const file of readdirSync(partials).sort()) {
      this.#handlebars.registerPartial(basename(file, ".hbs"), readFileSync(join(partials, file), "utf8"));
    }
  }

  /** The names that {@link render} knows, sorted. */
  get names(): string[] {
    return readdirSync(this.#folder)
      .filter((file) => file.endsWith(".yaml.hbs"))
      .map((file) => basename(file, ".yaml.hbs"))
      .sort();
  }

  /** @throws SlipwayError E_TEMPLATE naming the template and the variable or the fault */
  render(name: string, variables: object): string {
    const file = `${name}.yaml.hbs`;
    if (!this.names.includes(name)) {
      throw new SlipwayError("E_TEMPLATE", `there is no template for the role ${name}`, {
        hint: `Use one of: ${this.names.join(", ")}.`,
      });
    }
    try {
      const template = this.#handlebars.compile(readFileSync(join(this.#folder, file), "utf8"), {
        noEscape: true,
        strict: true,
        preventIndent: true,
        knownHelpersOnly: true,
        knownHelpers: Object.fromEntries(Object.keys(helpers).map((helper) => [helper, true])) as KnownHelpers,
      });
      return template(complete(variables));
    } catch (error) {
      const reason = error instanceof MissingVariable ? `the variable ${error.variable} is missing` : messageOf(error);
      throw new SlipwayError("E_TEMPLATE", `cloud-init/${file}: ${reason}`, {
        cause: error,
        hint: "Correct the template; `slipway render` shows what comes out, without a cloud.",
      });
    }
  }
}

type KnownHelpers = NonNullable<CompileOptions["knownHelpers"]>;

class MissingVariable extends Error {
  readonly variable: string;

  constructor(variable: string) {
    super(`no ${variable}`);
    this.variable = variable;
  }
}

/** Handlebars' strict mode lets a missing helper *argument* through as undefined; reading one from this view throws. */
function complete<T extends object>(variables: T, path = ""): T {
  return new Proxy(variables, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof key === "symbol" || !isPlain(target)) return value;
      if (value === undefined && key !== "toJSON") throw new MissingVariable(`${path}${key}`);
      return isPlain(value) ? complete(value, `${path}${key}.`) : value;
    },
  });
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
