/** Bytes that an object may have in one piece: Swift's `max_file_size`. */
export const largestObject = 5_368_709_122;
