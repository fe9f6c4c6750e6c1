/** Whether no element is NaN or infinite. */
export function allFinite(data: Float32Array): boolean {
  // Much faster than asking about each: such a number times 0 is no number, and stays so in a sum.
  let sum = 0;
  for (let index = 0; index < data.length; index++) sum += data[index]! * 0;
  return sum === 0;
}
