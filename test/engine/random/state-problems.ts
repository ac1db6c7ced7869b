interface StoredResource {
  urn: string;
  type: string;
  custom: boolean;
  id?: string;
  parent?: string;
  provider?: string;
  delete?: boolean;
  pendingReplacement?: boolean;
  dependencies?: string[];
  propertyDependencies?: Record<string, string[]>;
}

/** A checkpoint file, as far as its order is concerned. */
export interface StoredCheckpoint {
  version: number;
  checkpoint: { latest?: { resources?: StoredResource[]; pending_operations?: { resource: StoredResource }[] } };
}

/**
 * What Pulumi's CLI would refuse in a checkpoint (pulumi/pulumi, pkg/resource/deploy/snapshot.go, VerifyIntegrity), written from its
 * rules and not from the engine's own check.
 */
export function stateProblems({ version, checkpoint }: StoredCheckpoint): string[] {
  const problems: string[] = [];
  if (version !== 3) problems.push(`version ${version}`);
  const before: StoredResource[] = [];
  for (const resource of checkpoint.latest?.resources ?? []) {
    const knows = (urn: string) => before.some((earlier) => earlier.urn === urn);
    const dependencies = [
      ...(resource.dependencies ?? []),
      ...Object.values(resource.propertyDependencies ?? {}).flat(),
      ...(resource.parent === undefined ? [] : [resource.parent]),
    ];
    for (const urn of dependencies) if (!knows(urn)) problems.push(`${resource.urn} stands before ${urn}`);
    if (resource.provider !== undefined && !resource.pendingReplacement) {
      const provided = before.some(({ urn, id }) => `${urn}::${id}` === resource.provider);
      if (!provided) problems.push(`${resource.urn} stands before its provider`);
    }
    if (!resource.custom && resource.id !== undefined) problems.push(`${resource.urn} is a component with an id`);
    if (resource.custom && (resource.id ?? "") === "") problems.push(`${resource.urn} has no id`);
    if (!resource.delete && before.some(({ urn, delete: isGone }) => urn === resource.urn && !isGone)) {
      problems.push(`${resource.urn} is there twice`);
    }
    before.push(resource);
  }
  return problems;
}
