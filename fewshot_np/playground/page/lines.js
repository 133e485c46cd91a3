// The arithmetic of scene 4: lesson 4's two lines through the origin, loss half the sum of squared errors, one parameter.

export const TASKS = [
  { slope: 2, support: [1, 2], query: [2, 3] },
  { slope: -1, support: [1, 3], query: [2, 4] },
];
const bend = (x) => x.reduce((sum, value) => sum + value * value, 0);
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

/** The slope of each task after inner steps from `start`. A step multiplies its distance to the truth by 1 - rate h. */
export const adapted = (start, rate, steps) => TASKS.map(({ slope, support }) =>
  slope + (1 - rate * bend(support)) ** steps * (start - slope));

/** The meta-objective: the mean query loss after the inner steps. */
export const metaLoss = (start, rate, steps) => mean(adapted(start, rate, steps).map((slope, i) =>
  (bend(TASKS[i].query) * (slope - TASKS[i].slope) ** 2) / 2));

/** Which way each method moves the start, and how strongly: minus its gradient, or Reptile's phi - theta. */
export function pulls(start, rate, steps) {
  const slopes = adapted(start, rate, steps);
  const query = TASKS.map((task, i) => bend(task.query) * (slopes[i] - task.slope));
  const through = TASKS.map(({ support }) => (1 - rate * bend(support)) ** steps);
  return {
    maml: -mean(query.map((g, i) => g * through[i])),
    first: -mean(query),
    reptile: mean(slopes) - start,
    pretrained: -mean(TASKS.map(({ slope, query: x }) => bend(x) * (start - slope))),
  };
}

/** Where each method would put the start: the place at which it does not pull; null where it never does. */
export function ends(rate, steps) {
  const zero = (name) => {  // a pull is a straight line in the start
    const [at0, at1] = [pulls(0, rate, steps)[name], pulls(1, rate, steps)[name]];
    return Math.abs(at0 - at1) < 1e-12 ? null : at0 / (at0 - at1);
  };
  return Object.fromEntries(["maml", "first", "reptile", "pretrained"].map((name) => [name, zero(name)]));
}
