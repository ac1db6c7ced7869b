import { pythonRepr, pythonText } from "../http/python-repr.ts";
import { neutron } from "./errors.ts";
import type { Port } from "./records.ts";
import { type Converter, dictOf, notBlank, nullOr, oneOf, text, toInteger, type Validator } from "./validators.ts";

/** One of `extra_dhcp_opts` as it is sent; null takes the option away. */
export interface DhcpOption {
  opt_name: string;
  opt_value: string | null;
  ip_version?: number | undefined;
}

const ipVersion = { convert: toInteger, validate: oneOf(4, 6) };
const keySpecs: Validator[] = [
  dictOf({
    opt_name: { required: true, validate: oneOf("router", "classless-static-route") },
    opt_value: { required: true, validate: nullOr(text(255)) },
    ip_version: ipVersion,
  }),
  dictOf({
    opt_name: { required: true, validate: notBlank(64) },
    opt_value: { required: true, validate: nullOr(notBlank(255)) },
    ip_version: ipVersion,
  }),
];

/** `extra_dhcp_opts` as it is sent. @throws ApiError 400 */
export const toDhcpOptions: Converter = (value) => {
  if (value === null) return null;
  if (!Array.isArray(value)) throw neutron.invalidInput(`'${pythonText(value)}' is not a list`);
  for (const option of value) {
    if (keySpecs.every((spec) => spec(option) !== undefined)) {
      throw neutron.invalidInput(`No valid key specs matched for: ${pythonRepr(option)}`);
    }
  }
  return value;
};

/** A port's options after a change: the named ones are replaced or taken away, the others stay. */
export function mergeDhcpOptions(before: Port["extraDhcpOpts"], change: DhcpOption[]): Port["extraDhcpOpts"] {
  const keyOf = (option: { opt_name: string; ip_version?: number | undefined }) =>
    `${option.opt_name} ${option.ip_version ?? 4}`;
  const changed = new Set(change.map(keyOf));
  return [
    ...before.filter((option) => !changed.has(keyOf(option))),
    ...change.flatMap(({ opt_name, opt_value, ip_version }) =>
      opt_value === null ? [] : [{ opt_name, opt_value, ip_version: ip_version ?? 4 }],
    ),
  ];
}
