import type { ComputeClient, NetworkClient } from "pkgcloud";
import type { Answer } from "../answer.ts";
import type { CallLimits, Session } from "../session.ts";
import { optionsOf, prime } from "./client.ts";
import { exchangeOnce, type Operation } from "./exchange.ts";

interface Clients {
  compute: ComputeClient;
  network: NetworkClient;
}

/**
 * A call to Nova by pkgcloud, with the session's login, deadline, retries and errors.
 * @throws as {@link Session.request}
 */
export function callCompute(session: Session, operation: Operation<ComputeClient>, limits?: CallLimits) {
  return call(session, "compute", operation, limits);
}

/** A call to Neutron, as {@link callCompute}. */
export function callNetwork(session: Session, operation: Operation<NetworkClient>, limits?: CallLimits) {
  return call(session, "network", operation, limits);
}

/** A change of Neutron's for which pkgcloud has no method: floating IPs, tags, rules. Who only looks asks the session itself. */
export function requestNetwork(
  session: Session,
  request: { method: string; path: string; body?: object },
  limits?: CallLimits,
) {
  return callNetwork(session, (network, callback) => network._request(request, callback), limits);
}

/**
 * Every attempt has a client of its own: none has a token that was renewed since. pkgcloud is loaded with the first one: that
 * takes time which verbs without a cloud need not spend.
 */
function call<S extends keyof Clients>(
  session: Session,
  service: S,
  operation: Operation<Clients[S]>,
  limits?: CallLimits,
): Promise<Answer> {
  return session.carry(
    service,
    async (given) => {
      const { default: pkgcloud } = await import("pkgcloud");
      const client = pkgcloud[service].createClient(optionsOf(given)) as Clients[S];
      return exchangeOnce(prime(client, given), operation, given);
    },
    limits,
  );
}
