/** A reference that a push wants to move. */
export interface PushedRef {
  /** Object ids; all zeros where there is none. */
  from: string;
  to: string;
  name: string;
}

const NONE = /^0+$/;

/** What git tells a pre-receive hook: a line `<from> <to> <reference>` each. */
export function pushedRefs(text: string): PushedRef[] {
  return text.split("\n").flatMap((line) => {
    const [from, to, name] = line.trim().split(" ");
    return from && to && name ? [{ from, to, name }] : [];
  });
}

/** Why a push is refused whole, in lines with what to do; undefined where it moves the branch and nothing else. */
export function refusalOf(refs: readonly PushedRef[], branch: string): string[] | undefined {
  const wanted = `refs/heads/${branch}`;
  const other = refs.find(({ name }) => name !== wanted);
  if (other !== undefined) {
    const kind = other.name.startsWith("refs/heads/") ? "the branch" : "the reference";
    const name = other.name.replace(/^refs\/heads\//, "");
    return [
      `${kind} ${name} is not released here: ${branch} alone is`,
      `push it as that branch: git push <remote> HEAD:${branch}`,
    ];
  }
  if (refs.some(({ to }) => NONE.test(to))) {
    return [`${branch} cannot be deleted: what serves is its head`, "push another commit, or roll back with slipway"];
  }
  return undefined;
}
