import { SlipwayError } from "../common/errors.ts";
import type { StackConfig } from "../components/config.ts";
import { generationName } from "../components/host-contexts.ts";
import type { Manifest } from "../guest/manifest.ts";
import type { Origin } from "../guest/release-terms.ts";
import type { Expectation } from "../health/check-endpoint.ts";
import { followedManifest, type PublicationPlace, type StagedRelease } from "../release/publication.ts";
import type { StackLock } from "../release/stack-lock.ts";
import { checkOrGiveBack, ENDPOINT_TIMEOUT_MS, type Served } from "./bring-up.ts";
import { type Delivery, deliveryOf } from "./delivery.ts";
import type { HostOutcome } from "./host-outcome.ts";
import { publicationOf, reachVerdict } from "./host-verdict.ts";
import { shareLock } from "./locked.ts";
import { attachedAddress } from "./public-address.ts";
import { pushedText, servesPush } from "./pushed.ts";
import { rememberRelease, servesAlready } from "./remembered-release.ts";
import { requireOutputs } from "./running-stack.ts";
import { endpointUrl, type StackOutputs, withAddress } from "./stack-outputs.ts";
import type { Reporter } from "./ui/reporter.ts";
import { requireOwnCloud, type Workspace } from "./workspace.ts";

/** A stack that serves, locked for a release. */
export interface ServingStack {
  lock: StackLock;
  outputs: StackOutputs;
  /** Of the endpoint. */
  url: string;
  delivery: Delivery;
  place: PublicationPlace;
  /** What its hosts follow now. */
  followed: Manifest;
  /** Whether its host serves something that was pushed to it, upon that. */
  pushed: boolean;
}

/** A release that serves, and how it came to. */
export interface Released extends Served {
  kind: Origin["kind"];
  manifest: Manifest;
  /** What the host told; undefined where nothing changed, or neither endpoint nor console told. */
  outcome: HostOutcome | undefined;
}

/**
 * Logs in, holds the stack for every machine, and finds what its hosts follow.
 * @throws SlipwayError E_STACK_UNKNOWN for a stack that `up` has not brought to serve, E_LOCKED
 */
export async function openServingStack(
  workspace: Workspace,
  reporter: Reporter,
  lock: StackLock,
): Promise<ServingStack> {
  const known = await requireOutputs(workspace);
  const { session, stack, cloud } = workspace;
  return reporter.phase("authenticate", `log in to ${cloud ?? session.authUrl}`, async () => {
    await requireOwnCloud(workspace);
    const delivery = await deliveryOf(workspace);
    const place = publicationOf(workspace, delivery);
    const locked = shareLock(lock, workspace, delivery).then(() => followedManifest(place));
    const [address, followed] = await bothOrFirstFailure(attachedAddress(workspace, known), locked);
    if (address === undefined || followed === undefined) {
      const what = followed === undefined ? "has published nothing" : "has no address that leads to its host";
      throw new SlipwayError("E_STACK_UNKNOWN", `the stack ${stack} ${what}`, {
        hint: `Run \`slipway up ${stack}\` first: releases change what serves already.`,
      });
    }
    const outputs = withAddress(known, address);
    const url = endpointUrl(outputs);
    const pushed = await servesPush(workspace, url);
    if (pushed !== undefined) reporter.note(`${stack} serves ${pushedText(pushed)}`);
    return { lock, outputs, url, delivery, place, followed, pushed: pushed !== undefined };
  });
}

/** Both results; of a failure only when the other has ended too, so that nothing of it goes on behind the command's back. */
export async function bothOrFirstFailure<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}

/**
 * Publishes a staged release, follows the host to its verdict, asks the endpoint from outside, and remembers what serves. A release that
 * serves already is left as it is.
 * @param expectation what the endpoint must answer then
 * @throws SlipwayError E_GATE_FAILED when the host refused it and serves what it did, E_LOCKED, E_TIMEOUT, E_UNHEALTHY
 */
export async function carryOut(
  workspace: Workspace,
  reporter: Reporter,
  { lock, outputs, url, delivery }: ServingStack,
  {
    kind,
    staged,
    expectation,
    signal,
  }: {
    kind: Origin["kind"];
    staged: StagedRelease;
    expectation: Expectation;
    signal: AbortSignal;
  },
): Promise<Released> {
  let { manifest } = staged;
  let outcome: HostOutcome | undefined;
  const unchanged = await servesAlready(workspace, staged, url, expectation);
  if (!unchanged) {
    await lock.requireHeld();
    await staged.publish();
    ({ manifest, outcome } = await reachVerdict(workspace, outputs, { staged, delivery, reporter, signal, url }));
  }
  const report = await reporter.phase("check", `prediction through ${url}`, () =>
    checkOrGiveBack(workspace, outputs, expectation, async () => {}, { timeoutMs: ENDPOINT_TIMEOUT_MS, signal }),
  );
  const release = await rememberRelease(workspace, manifest, expectation);
  return { kind, url, outputs, report, probe: expectation, release, changed: !unchanged, manifest, outcome };
}

/** What the stack's configuration says of its hosts and what they are, where that differs: only `up` changes hosts. */
export function pendingHostChanges(config: StackConfig, outputs: StackOutputs): string[] {
  const wanted: Partial<Record<keyof StackOutputs, string | number>> = {
    image: config.image,
    flavor: config.flavor,
    frontendPort: config.frontendPort,
    generation: generationName(config.generation),
  };
  return Object.entries(wanted).flatMap(([name, value]) => {
    const is = outputs[name as keyof StackOutputs];
    return String(is) === String(value) ? [] : [`${name} is ${is}, and shall be ${value}`];
  });
}
