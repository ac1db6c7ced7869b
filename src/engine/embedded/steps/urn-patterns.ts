/**
 * URNs as `--target` and `--replace` name them: whole, or with `*` for anything without a colon and `**` for anything
 * (pulumi/pulumi, pkg/resource/deploy/deployment.go, UrnTargets).
 */
export class UrnPatterns {
  /** Those that are whole URNs. */
  readonly literals: ReadonlySet<string>;
  readonly #globs: readonly RegExp[];

  constructor(patterns: readonly string[] = []) {
    this.literals = new Set(patterns.filter((pattern) => !pattern.includes("*")));
    this.#globs = patterns.filter((pattern) => pattern.includes("*")).map(matcherOf);
  }

  /** True where nothing is named. */
  get isEmpty(): boolean {
    return this.literals.size === 0 && this.#globs.length === 0;
  }

  /** True for a URN that is named. */
  has(urn: string): boolean {
    return this.literals.has(urn) || this.#globs.some((glob) => glob.test(urn));
  }
}

function matcherOf(glob: string): RegExp {
  const within = (text: string) => text.split("*").map(escaped).join("[^:]*");
  return new RegExp(`^${glob.split("**").map(within).join(".*")}$`);
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
