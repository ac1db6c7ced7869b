import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findFloatingIp, pointFloatingIp } from "../../src/openstack/network/floating-ips.ts";
import { endMaintenance, withMaintenanceAddress } from "../../src/release/maintenance-address.ts";
import { findAttached } from "../../src/release/stack-address.ts";
import { PaperStack } from "./paper-stack.ts";

let paper: PaperStack;
beforeEach(async () => {
  paper = await PaperStack.create();
});
afterEach(() => paper.remove());

const never = new AbortController().signal;

function maintain<T>(action: (address: string) => Promise<T>, signal = never): Promise<T> {
  const { stack, own, session } = paper;
  const host = { portId: stack.portId, externalNetworkId: own.floating_network_id, tag: stack.tag };
  return withMaintenanceAddress(session, host, signal, action);
}

const others = async () => (await paper.addresses()).filter(({ address }) => address !== paper.own.floating_ip_address);

describe("an address for maintenance", () => {
  it("leads to the host while the action lasts, stands in for no other, and is given back", async () => {
    const result = await maintain(async (address) => {
      expect(await others()).toMatchObject([{ address, port: paper.stack.portId }]);
      expect(await findAttached(paper.session, paper.stack)).toBeUndefined();
      return "done";
    });
    expect(result).toBe("done");
    expect(await others()).toEqual([]);
  });

  it("is given back when the action fails, whose failure is what is told", async () => {
    const failure = new Error("no space left");
    await expect(maintain(() => Promise.reject(failure))).rejects.toBe(failure);
    expect(await others()).toEqual([]);
  });

  it("of a run that was killed is given back by the next, whether it was tagged or not", async () => {
    const left = await paper.allocate({ description: `${paper.stack.tag} maintenance` });
    await pointFloatingIp(paper.session, left.id, paper.stack.portId);
    await maintain(async () => undefined);
    expect(await others()).toEqual([]);
  });

  it("of another stack stays", async () => {
    const theirs = await paper.allocate({ description: "slipway:test/staging maintenance" });
    await endMaintenance(paper.session, paper.stack.tag);
    expect(await findFloatingIp(paper.session, theirs.id)).toBeDefined();
  });
});
