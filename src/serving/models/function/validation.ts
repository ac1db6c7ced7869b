import { Ajv, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { messageOf } from "../../../common/errors.ts";

/** Says why a value is not what a schema allows; undefined where it is. */
export type Check = (value: unknown) => string | undefined;

const NEWER = /draft\/(2019-09|2020-12)/;

/** A check of a JSON Schema (draft-07, 2019-09 or 2020-12); everything passes without one. Throws Error for what is no schema. */
export function checkOf(schema: unknown, what: string): Check {
  if (schema === undefined) return () => undefined;
  const options = { strict: false, allErrors: false, logger: false } as const;
  const { $schema } = schema as { $schema?: unknown };
  let validate: ValidateFunction;
  try {
    validate = (NEWER.test(String($schema)) ? new Ajv2020(options) : new Ajv(options)).compile(schema as object);
  } catch (cause) {
    throw new Error(`the schema of the ${what} is none: ${messageOf(cause)}`, { cause });
  }
  return (value) => {
    if (validate(value)) return undefined;
    const [error] = validate.errors ?? [];
    return `${what}${error?.instancePath ?? ""} ${error?.message ?? "is not as its schema says"}`;
  };
}
