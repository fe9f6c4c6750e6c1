/**
 * The loops of the optimizers that are rarer than Adam, and of the moving average. Sums are taken in double precision
 * and in one order, so that the bits do not depend on the device's threads.
 */

/** The numbers of one step of Adafactor; `step` counts from 1. */
export interface AdafactorUpdate {
  readonly step: number;
  readonly learningRate: number;
  /** The gradient is multiplied with this first: clipping, and division by the number of tokens. */
  readonly gradientScale: number;
  /** Decoupled: the parameter shrinks by its step size · weightDecay. */
  readonly weightDecay: number;
  /** The second moment forgets as 1 - step^decayRate; below 0. */
  readonly decayRate: number;
  /** A change whose root mean square is greater is scaled down to it. */
  readonly clipThreshold: number;
  /** Added to the squared gradient. */
  readonly epsilon: number;
  /** Where the step size is scaled by the parameter's root mean square: the least that it is taken for. */
  readonly leastScale: number | undefined;
  /** How the first moment forgets, where there is one. */
  readonly beta1: number | undefined;
}

/**
 * What Adafactor remembers. A matrix [rows, columns] has the means of its rows and columns, anything else one number
 * for each element; the first moment is missing where beta1 is.
 */
export interface AdafactorMoments {
  readonly rows?: Float32Array | undefined;
  readonly columns?: Float32Array | undefined;
  readonly secondMoment?: Float32Array | undefined;
  readonly firstMoment?: Float32Array | undefined;
}

const rootMeanSquare = (values: Float32Array): number => {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]! * values[index]!;
  return Math.sqrt(sum / Math.max(1, values.length));
};

/**
 * One step of Adafactor, in place. With g the gradient and b = 1 - step^decayRate:
 * R = b · R + (1 - b) · mean of a row of g² + epsilon, C the same of a column, v = R · C / mean(R), or v itself where
 * the parameter is no matrix; u = g / sqrt(v), divided by max(1, rms(u) / clipThreshold); and the parameter changes
 * by -rate · u, where rate = learningRate · max(leastScale, rms(parameter)).
 * Source: Shazeer and Stern, 2018, algorithms 4 and 5.
 */
export function adafactor(
  parameter: Float32Array,
  gradient: Float32Array,
  moments: AdafactorMoments,
  update: AdafactorUpdate,
): void {
  const { step, gradientScale, decayRate, epsilon, clipThreshold, weightDecay, leastScale, beta1 } = update;
  const scale = leastScale === undefined ? 1 : Math.max(leastScale, rootMeanSquare(parameter));
  const rate = update.learningRate * scale;
  const keep = 1 - step ** decayRate;
  const { rows, columns, secondMoment, firstMoment } = moments;
  const normalise =
    rows !== undefined && columns !== undefined
      ? factoredMoments(gradient, rows, columns, keep, gradientScale, epsilon)
      : wholeMoments(gradient, secondMoment!, keep, gradientScale, epsilon);
  const { ofRow, ofColumn } = normalise;
  const width = ofColumn.length;

  let squares = 0;
  for (let row = 0; row < ofRow.length; row++) {
    let sum = 0;
    for (let column = 0, index = row * width; column < width; column++, index++) {
      const change = gradient[index]! * ofColumn[column]!;
      sum += change * change;
    }
    squares += sum * ofRow[row]! * ofRow[row]!;
  }
  const size = Math.sqrt(squares / Math.max(1, gradient.length));
  const factor = rate / Math.max(1, size / clipThreshold);
  const shrink = 1 - weightDecay * rate;
  for (let row = 0; row < ofRow.length; row++) {
    const ofThisRow = factor * ofRow[row]!;
    for (let column = 0, index = row * width; column < width; column++, index++) {
      let change = gradient[index]! * ofColumn[column]! * ofThisRow;
      if (firstMoment !== undefined) {
        firstMoment[index] = firstMoment[index]! * beta1! + (1 - beta1!) * change;
        change = firstMoment[index]!;
      }
      parameter[index] = parameter[index]! * shrink - change;
    }
  }
}

/** What an element of the gradient is multiplied with: a number of its row times one of its column. */
interface Normalisation {
  readonly ofRow: Float64Array;
  readonly ofColumn: Float64Array;
}

function factoredMoments(
  gradient: Float32Array,
  rows: Float32Array,
  columns: Float32Array,
  keep: number,
  gradientScale: number,
  epsilon: number,
): Normalisation {
  const [height, width] = [rows.length, columns.length];
  const columnSums = new Float64Array(width);
  const squaredScale = gradientScale * gradientScale;
  for (let row = 0; row < height; row++) {
    let sum = 0;
    for (let column = 0, index = row * width; column < width; column++, index++) {
      const square = gradient[index]! * gradient[index]!;
      sum += square;
      columnSums[column]! += square;
    }
    rows[row] = rows[row]! * keep + (1 - keep) * ((sum / width) * squaredScale + epsilon);
  }
  let sumOfRows = 0;
  for (let row = 0; row < height; row++) sumOfRows += rows[row]!;
  const meanOfRows = sumOfRows / height;
  const ofRow = Float64Array.from(rows, (value) => gradientScale * Math.sqrt(meanOfRows / value));
  const ofColumn = new Float64Array(width);
  for (let column = 0; column < width; column++) {
    const mean = (columnSums[column]! / height) * squaredScale + epsilon;
    columns[column] = columns[column]! * keep + (1 - keep) * mean;
    ofColumn[column] = 1 / Math.sqrt(columns[column]!);
  }
  return { ofRow, ofColumn };
}

/** One number for each element: as if there were one row. */
function wholeMoments(
  gradient: Float32Array,
  secondMoment: Float32Array,
  keep: number,
  gradientScale: number,
  epsilon: number,
): Normalisation {
  const ofColumn = new Float64Array(gradient.length);
  for (let index = 0; index < gradient.length; index++) {
    const g = gradient[index]! * gradientScale;
    secondMoment[index] = secondMoment[index]! * keep + (1 - keep) * (g * g + epsilon);
    ofColumn[index] = 1 / Math.sqrt(secondMoment[index]!);
  }
  return { ofRow: Float64Array.of(gradientScale), ofColumn };
}

/** The numbers of one step of stochastic gradient descent. */
export interface SgdUpdate {
  readonly learningRate: number;
  readonly gradientScale: number;
  /** Times the parameter, added to the gradient. */
  readonly weightDecay: number;
  readonly momentum: number;
  /** Whether the step is taken from where the momentum will have led. */
  readonly nesterov: boolean;
}

/**
 * One step of stochastic gradient descent, in place: g = gradient + weightDecay · parameter,
 * b = momentum · b + g, and the parameter changes by -learningRate · b; with Nesterov's momentum by
 * -learningRate · (g + momentum · b). Source: Sutskever et al., 2013, in the form that PyTorch has it.
 * @param buffer - b; missing without momentum
 */
export function sgd(
  parameter: Float32Array,
  gradient: Float32Array,
  buffer: Float32Array | undefined,
  { learningRate, gradientScale, weightDecay, momentum, nesterov }: SgdUpdate,
): void {
  for (let index = 0; index < parameter.length; index++) {
    const g = gradient[index]! * gradientScale + parameter[index]! * weightDecay;
    let change = g;
    if (buffer !== undefined) {
      buffer[index] = buffer[index]! * momentum + g;
      change = nesterov ? g + buffer[index]! * momentum : buffer[index]!;
    }
    parameter[index] = parameter[index]! - change * learningRate;
  }
}

/** target += weight · (source - target), element by element. */
export function interpolate(target: Float32Array, source: Float32Array, weight: number): void {
  for (let index = 0; index < target.length; index++) {
    target[index] = target[index]! + weight * (source[index]! - target[index]!);
  }
}
