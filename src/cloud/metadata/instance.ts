import { type BlockDevice, devicesOf } from "../compute/block-devices.ts";
import type { Server } from "../compute/records.ts";
import { portsOf } from "../compute/server-ports.ts";
import type { NetworkTables, Port } from "../network/records.ts";
import type { Collection, Store } from "../store/store.ts";

/** What DHCP of a Nova without DNS integration appends to host names. */
const domain = "novalocal";

/** A server with all that its guest is told of itself. */
export interface Instance {
  server: Server;
  tables: NetworkTables;
  /** In the order of its interfaces. */
  ports: Port[];
  volumes: BlockDevice[];
  /** EC2's ids are numbers that Nova gives to servers and images as they come. */
  imageNumber: number;
  /** What the operator tells all guests (`vendor_data.json`). */
  vendorData: unknown;
}

export interface InstanceParts {
  store: Store;
  tables: NetworkTables;
  blockDevices: Collection<BlockDevice>;
  vendorData: unknown;
}

/** What is known of a server by now. */
export function instanceFor({ store, tables, blockDevices, vendorData }: InstanceParts, server: Server): Instance {
  return {
    server,
    tables,
    ports: portsOf(tables, server),
    volumes: devicesOf(blockDevices, server.id),
    imageNumber: imageNumber(store, server.imageId),
    vendorData,
  };
}

export const hostnameOf = ({ server }: Instance) => `${server.hostname}.${domain}`;

/** The number of an image: the next one where it has none, and from then on the same. */
function imageNumber(store: Store, imageId: string): number {
  const numbers = store.collection<{ id: string; number: number }>("ec2-image");
  return store.transaction(() => {
    const known = numbers.get(imageId) ?? numbers.put({ id: imageId, number: numbers.list().length + 1 });
    return known.number;
  });
}
