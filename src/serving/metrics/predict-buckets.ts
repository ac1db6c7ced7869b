/** In seconds; close enough to read quantiles from: neighbours are at most a factor of two and a half apart. */
export const PREDICT_BUCKETS = [
  0.0002, 0.0005, 0.001, 0.0015, 0.002, 0.003, 0.004, 0.006, 0.008, 0.012, 0.02, 0.03, 0.05, 0.08, 0.15, 0.3, 0.6, 1, 2,
  5,
];
