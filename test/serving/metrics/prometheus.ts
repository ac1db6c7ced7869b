import parsePrometheus from "parse-prometheus-text-format";

/** A line of Prometheus' text format. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

/**
 * The samples of a text as an independent parser reads them, by their names. Kinds are left out for it: it forgets a histogram's labels.
 */
export function samplesIn(text: string): (name: string) => Sample[] {
  const families = parsePrometheus(text.replace(/^# TYPE .*\n/gm, ""));
  return (name) =>
    families
      .filter((family) => family.name === name)
      .flatMap(({ metrics }) => metrics.map(({ labels = {}, value }) => ({ labels, value: Number(value) })));
}

/** The kind of each figure. */
export function kindsIn(text: string): Record<string, string> {
  return Object.fromEntries(parsePrometheus(text).map(({ name, type }) => [name, type]));
}
