/** Something that is under way, at its place among the others. */
export interface Place<T> {
  readonly item: T;
  before: Place<T> | undefined;
  after: Place<T> | undefined;
}

/**
 * What is under way, oldest first, for what comes and goes by the thousand. A `Set` or `Map` does the same and is slower than it seems: V8
 * makes their tables anew all the time, each old one refers to the next, and once one of them has grown old the collector keeps all that
 * followed, with all that was in them, until it looks through the whole heap. What has left this list refers to nothing.
 */
export class UnderWay<T> {
  #oldest: Place<T> | undefined;
  #newest: Place<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns its place, by which it leaves */
  add(item: T): Place<T> {
    const place: Place<T> = { item, before: this.#newest, after: undefined };
    if (this.#newest) this.#newest.after = place;
    else this.#oldest = place;
    this.#newest = place;
    this.#size++;
    return place;
  }

  /** Takes out what has this place. It must be there. */
  leave(place: Place<T>): void {
    const { before, after } = place;
    if (before) before.after = after;
    else this.#oldest = after;
    if (after) after.before = before;
    else this.#newest = before;
    place.before = undefined;
    place.after = undefined;
    this.#size--;
  }

  /** The oldest that is like this. */
  find(isWanted: (item: T) => boolean): Place<T> | undefined {
    let place = this.#oldest;
    while (place && !isWanted(place.item)) place = place.after;
    return place;
  }

  /** All that is under way now, oldest first. */
  items(): T[] {
    return [...this.places()].map(({ item }) => item);
  }

  /** Oldest first; what is visited may leave meanwhile. */
  *places(): Generator<Place<T>> {
    for (let place = this.#oldest; place; ) {
      const { after } = place;
      yield place;
      place = after;
    }
  }
}
