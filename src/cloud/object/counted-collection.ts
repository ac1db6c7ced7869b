import { Collection, type Store, type StoredRecord } from "../store/store.ts";

/** What lies in a container. */
interface Counted extends StoredRecord {
  containerId: string;
  /** Bytes. */
  size: number;
  versionId?: string;
}

/** How many there are of something, and the bytes that they take. */
export interface Figures {
  count: number;
  bytes: number;
}

/** The same, and how many of them are versions. */
interface Counts extends Figures {
  versions: number;
}

/** Records of what lies in containers. Each change is counted in the same step: nobody has to read them all to tell how much there is. */
export class CountedCollection<T extends Counted> extends Collection<T> {
  readonly #store: Store;
  readonly #figures: Collection<Counts & StoredRecord>;

  /** The figures are records of the kind `KIND-figures`, by container. */
  constructor(store: Store, kind: string) {
    super(store, kind);
    this.#store = store;
    this.#figures = store.collection(`${kind}-figures`);
  }

  figuresOf(containerId: string): Counts {
    const { count, bytes, versions } = this.#figures.get(containerId) ?? none;
    return { count, bytes, versions };
  }

  override put(record: T): T {
    return this.#store.transaction(() => {
      const before = this.get(record.id);
      this.#count(record.containerId, countsOf(record), before === undefined ? none : countsOf(before));
      return super.put(record);
    });
  }

  override delete(id: string): void {
    this.#store.transaction(() => {
      const before = this.get(id);
      if (before === undefined) return;
      this.#count(before.containerId, none, countsOf(before));
      super.delete(id);
    });
  }

  #count(id: string, more: Counts, less: Counts): void {
    const now = this.figuresOf(id);
    const count = now.count + more.count - less.count;
    const changed = (key: keyof Counts) => now[key] + more[key] - less[key];
    if (count === 0) this.#figures.delete(id);
    else this.#figures.put({ id, count, bytes: changed("bytes"), versions: changed("versions") });
  }
}

const none: Counts = { count: 0, bytes: 0, versions: 0 };

function countsOf({ size, versionId }: Counted): Counts {
  return { count: 1, bytes: size, versions: versionId === undefined ? 0 : 1 };
}
