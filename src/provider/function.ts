import type { PropertyMap } from "../engine/resource-provider.ts";
import type { Context } from "./kind.ts";
import type { Properties } from "./schema/property.ts";

/** One function (data source): a table of its arguments and the call. */
export interface ProviderFunction {
  /** Pulumi's token. */
  token: string;
  args: Properties;
  /** @throws SlipwayError E_LOOKUP when not exactly one thing fits */
  call(context: Context, args: PropertyMap): Promise<PropertyMap>;
}
