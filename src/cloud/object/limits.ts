/** Bytes that an object may have in one piece: Swift's `max_file_size`. */
export const largestObject = 5_368_709_122;
/** Lines that a listing has at most; clients ask again with `marker`. */
export const listingLimit = 10_000;
