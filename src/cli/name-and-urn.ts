import { SlipwayError } from "../common/errors.ts";

/** A resource that the command line names. */
export interface NamedUrn {
  urn: string;
  /** The program's variable for it, where one is given: URN by variable. */
  table: Record<string, string>;
}

/** Reads `URN` or `VARIABLE=URN`. Throws SlipwayError E_USAGE for what is neither. */
export function nameAndUrn(option: string, text: string | undefined): NamedUrn | undefined {
  if (text === undefined) return undefined;
  const [, variable, urn = ""] = /^(?:([A-Za-z_$][\w$]*)=)?(urn:pulumi:.+)$/s.exec(text) ?? [];
  if (urn === "") {
    throw new SlipwayError("E_USAGE", `--${option} ${text} is no URN`, {
      hint: `Write it like --${option} 'urn:pulumi:production::slipway::…' or --${option} 'VARIABLE=urn:pulumi:…'; \`slipway stack export\` shows the URNs.`,
    });
  }
  return { urn, table: variable === undefined ? {} : { [variable]: urn } };
}
