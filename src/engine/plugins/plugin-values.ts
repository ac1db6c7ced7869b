import struct, { type Struct } from "google-protobuf/google/protobuf/struct_pb.js";
import { isMap, mapValues, ResourceReference, Secret, type Value, type ValueMap } from "../embedded/values/value.ts";
import { encodeWire, type Json, mapFromStruct } from "../embedded/values/wire.ts";
import { unknown } from "../resource-provider.ts";

/** What a plugin says that it can read, beside plain values. */
export interface Accepts {
  /** Secrets in envelopes. */
  secrets: boolean;
  /** Resources in envelopes. */
  resources: boolean;
}

/** Values as a plugin may see them: what it cannot read is unwrapped. Unknown values become Pulumi's sentinel. */
export function toPlugin(map: ValueMap, accepts: Accepts): Struct {
  const visible = mapValues(map, (value) => unwrapped(value, accepts));
  return struct.Struct.fromJavaScript(encodeWire(visible) as { [key: string]: Json });
}

function unwrapped(value: Value, accepts: Accepts): Value {
  if (value instanceof Secret) {
    const within = unwrapped(value.value, accepts);
    return accepts.secrets ? Secret.of(within) : within;
  }
  if (value instanceof ResourceReference) {
    if (accepts.resources) return value;
    return value.id === "" ? unknown : (value.id ?? value.urn);
  }
  if (Array.isArray(value)) return value.map((item) => unwrapped(item, accepts));
  return isMap(value) ? mapValues(value, (item) => unwrapped(item, accepts)) : value;
}

/** What a plugin answered; what it marks secret stays so. */
export function fromPlugin(message: Struct | undefined): ValueMap {
  return mapFromStruct(message);
}
