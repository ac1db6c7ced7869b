import { SlipwayError } from "../common/errors.ts";
import { withStackLock } from "../release/stack-lock.ts";
import { type DeclaredTokens, findStackToken, renewStackToken } from "../release/tokens.ts";
import { type LocalStack, openLocalStack } from "./workspace.ts";

/** What the command line says. */
interface TokenArguments {
  /** Whose token. */
  name: string | undefined;
  stack: string | undefined;
}

/** What an action answers: for programs and for people. */
interface Answer {
  object: Record<string, unknown>;
  text: string;
}

type Action = (args: TokenArguments) => Promise<Answer>;

/** What `slipway token` can do. */
export const tokenActions: Record<string, Action> = { ls, show, renew };

async function ls({ stack: given }: TokenArguments): Promise<Answer> {
  const { stack, stackHome, config } = await openLocalStack(given);
  const tokens = await Promise.all(
    Object.entries(config.tokens ?? {}).map(async ([name, { role, expires }]) => ({
      name,
      role,
      ...(expires !== undefined && { expires }),
      made: (await findStackToken(stackHome, name)) !== undefined,
    })),
  );
  const lines = tokens.map(({ name, role, expires, made }) =>
    [name, role, expires === undefined ? "" : `until ${expires}`, made ? "" : "not made yet"]
      .filter(Boolean)
      .join("  "),
  );
  return { object: { stack, tokens }, text: lines.join("\n") || `${stack} has no tokens: everybody may predict` };
}

async function show({ name: given, stack }: TokenArguments): Promise<Answer> {
  const { local, name, role } = await declared(given, stack);
  const token = await findStackToken(local.stackHome, name);
  if (token === undefined) {
    throw new SlipwayError("E_LOOKUP", `${name} has no token yet`, {
      hint: `Run \`slipway up ${local.stack}\`: it makes the tokens that are new in the configuration.`,
    });
  }
  return { object: { stack: local.stack, name, role, token }, text: token };
}

async function renew({ name: given, stack }: TokenArguments): Promise<Answer> {
  const { local, name, role } = await declared(given, stack);
  const { stackHome } = local;
  const token = await withStackLock(stackHome, `token renew ${name}`, () => renewStackToken(stackHome, name, role));
  return { object: { stack: local.stack, name, role, token }, text: token };
}

async function declared(
  name: string | undefined,
  stack: string | undefined,
): Promise<{ local: LocalStack; name: string; role: DeclaredTokens[string]["role"] }> {
  const local = await openLocalStack(stack);
  const tokens = local.config.tokens ?? {};
  const names = Object.keys(tokens);
  const found = name !== undefined && Object.hasOwn(tokens, name) ? tokens[name] : undefined;
  if (name !== undefined && found !== undefined) return { local, name, role: found.role };
  throw new SlipwayError("E_USAGE", name === undefined ? "whose token?" : `${local.stack} has no token ${name}`, {
    hint:
      names.length === 0
        ? `Declare it in stacks/Pulumi.${local.stack}.yaml: \`${local.project}:tokens: { NAME: predict }\`.`
        : `Choose one of ${names.join(", ")}.`,
  });
}
