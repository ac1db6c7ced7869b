import type { ComputeClient, NetworkClient } from "pkgcloud";
import type { Answer } from "../answer.ts";
import type { CallLimits, Query, Session } from "../session.ts";
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

/** A request to Neutron for which pkgcloud has no method: floating IPs, tags, filters. */
export function requestNetwork(
  session: Session,
  request: { method: string; path: string; query?: Query; body?: object },
  limits?: CallLimits,
) {
  const { query = {}, ...rest } = request;
  const qs = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
  return callNetwork(session, (network, callback) => network._request({ ...rest, qs }, callback), limits);
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
