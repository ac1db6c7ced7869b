import { isUnknownSentinel, type Json, signatureKey, signatures, unknownSentinel } from "../values/wire.ts";

type Named = { [key: string]: Json };

const isNamed = (json: Json | undefined): json is Named =>
  typeof json === "object" && json !== null && !Array.isArray(json);

/** What an output is on the wire, so that a program's transform gets it as an Output: secret or not, known or not, and of what. */
function outputValue(value: Json | undefined, secret: boolean, dependencies: string[]): Named {
  return {
    [signatureKey]: signatures.outputValue,
    ...(value === undefined ? {} : { value }),
    ...(secret ? { secret } : {}),
    ...(dependencies.length > 0 ? { dependencies } : {}),
  };
}

/** Secrets and unknown values as outputs, at any depth. */
function upgraded(json: Json): Json {
  if (isUnknownSentinel(json)) return outputValue(undefined, false, []);
  if (Array.isArray(json)) return json.map(upgraded);
  if (!isNamed(json)) return json;
  if (json[signatureKey] === signatures.secret) {
    const value = json.value ?? null;
    return outputValue(isUnknownSentinel(value) ? undefined : value, true, []);
  }
  if (json[signatureKey] !== undefined) return json;
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, upgraded(value)]));
}

/** A registration's properties as a transform gets them (pulumi/pulumi, source_eval.go, upgradeOutputValues). */
export function withOutputs(properties: Named, dependencies: ReadonlyMap<string, string[]>): Named {
  return Object.fromEntries(
    Object.entries(properties).map(([key, json]) => {
      const value = upgraded(json);
      const urns = dependencies.get(key) ?? [];
      if (urns.length === 0) return [key, value];
      if (isNamed(value) && value[signatureKey] === signatures.outputValue) {
        return [key, { ...value, dependencies: [...new Set([...dependenciesOf(value), ...urns])] }];
      }
      return [key, outputValue(value, false, urns)];
    }),
  );
}

/** The URNs that outputs within a value depend on. */
export function dependenciesOf(json: Json): string[] {
  if (Array.isArray(json)) return json.flatMap(dependenciesOf);
  if (!isNamed(json)) return [];
  const own = json[signatureKey] === signatures.outputValue ? json.dependencies : undefined;
  const urns = Array.isArray(own) ? own.map(String) : [];
  return [...urns, ...Object.values(json).flatMap((value) => (value === own ? [] : dependenciesOf(value)))];
}

/** Outputs as everyone but transforms knows them: secrets in envelopes, the sentinel, or the bare value. */
export function withoutOutputs(json: Json): Json {
  if (Array.isArray(json)) return json.map(withoutOutputs);
  if (!isNamed(json)) return json;
  if (json[signatureKey] !== signatures.outputValue) {
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, withoutOutputs(value)]));
  }
  const value = json.value === undefined ? unknownSentinel : withoutOutputs(json.value);
  return json.secret === true ? { [signatureKey]: signatures.secret, value } : value;
}
