import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { invalid } from "../errors.ts";

/** Encodings longer than this are not reduced: their eigenvectors would take minutes. */
const REDUCIBLE = 1024;

/**
 * The principal components of rows: the fewest directions that keep more than this fraction of the variance, as scikit-learn's
 * `PCA(fraction)` counts them; all that have variance for 1.
 * @param rows row-major
 * @returns width × count, row-major: a row times it is the reduced row (not centred)
 * @throws SlipwayError E_TRAINING_INVALID for rows that are too long
 */
export function principalComponents(
  rows: Float64Array,
  width: number,
  fraction: number,
): { count: number; values: Float64Array } {
  if (width > REDUCIBLE) throw invalid(`dimRed: encodings of more than ${REDUCIBLE} numbers cannot be reduced`);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(covariance(rows, width), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues
    .map((_, index) => index)
    .sort((a, b) => (realEigenvalues[b] as number) - (realEigenvalues[a] as number));
  const variances = order.map((index) => Math.max(0, realEigenvalues[index] as number));
  const total = variances.reduce((sum, variance) => sum + variance, 0);
  const count = Math.max(1, componentCount(variances, total, fraction));
  const values = new Float64Array(width * count);
  for (let i = 0; i < width; i++) {
    for (let c = 0; c < count; c++) values[i * count + c] = eigenvectorMatrix.get(i, order[c] as number);
  }
  return { count, values };
}

function componentCount(variances: number[], total: number, fraction: number): number {
  let kept = 0;
  for (const [index, variance] of variances.entries()) {
    if (variance <= 1e-12 * total) return index;
    kept += variance / total;
    if (fraction < 1 && kept > fraction) return index + 1;
  }
  return variances.length;
}

function covariance(rows: Float64Array, width: number): Matrix {
  const count = rows.length / width;
  const means = new Float64Array(width);
  rows.forEach((value, i) => {
    means[i % width] = (means[i % width] as number) + value / count;
  });
  const sums = new Float64Array(width * width);
  const row = new Float64Array(width);
  for (let at = 0; at < rows.length; at += width) {
    for (let i = 0; i < width; i++) row[i] = (rows[at + i] as number) - (means[i] as number);
    for (let i = 0; i < width; i++) {
      const value = row[i] as number;
      if (value === 0) continue;
      for (let j = i; j < width; j++)
        sums[i * width + j] = (sums[i * width + j] as number) + value * (row[j] as number);
    }
  }
  const matrix = Matrix.zeros(width, width);
  for (let i = 0; i < width; i++) {
    for (let j = i; j < width; j++) {
      const value = (sums[i * width + j] as number) / Math.max(1, count - 1);
      matrix.set(i, j, value);
      matrix.set(j, i, value);
    }
  }
  return matrix;
}
