// L, K, the ceiling and the divergences of Gaussian data under their exact reversal, in one dimension.
dpmTouch("bound", (() => {
  const E2PI = 2 * Math.PI * Math.E;
  const spaced = (T, first, last, power) => Array.from({ length: T }, (_, n) => {
    const u = T > 1 ? n / (T - 1) : 0;
    return power ? first * (last / first) ** u : first + (last - first) * u;
  });
  const SCHEDULES = [
    (T) => Array.from({ length: T }, (_, n) => 1 / (T - n)),
    (T) => Array.from({ length: T }, (_, n) => 1 / (T - ((T - 2) * n) / (T - 1))),
    (T) => spaced(T, 0.01, 0.5, false),
    (T) => spaced(T, 0.01, 0.5, true),
  ];

  function chain({ schedule, T, v0 }) {
    const beta = SCHEDULES[schedule](T), kept = [1];
    for (const rate of beta) kept.push(kept.at(-1) * (1 - rate));
    const noise = kept.map((k) => 1 - k), v = kept.map((k) => k * v0 + 1 - k);
    const costs = [];
    let spread = 1;  // variance of the model's state, from its prior down to its data
    for (let t = T; t >= 2; t--) {
      const left = v[t - 1] - ((1 - beta[t - 1]) * v[t - 1] ** 2) / v[t];
      spread = ((1 - beta[t - 1]) * v[t - 1] ** 2 * spread) / v[t] ** 2 + left;
      costs.unshift(0.5 * Math.log(left / ((noise[t - 1] * beta[t - 1]) / noise[t])));
    }
    spread = (1 - beta[0]) * spread + beta[0];
    const K14 = 0.5 * Math.log(v[T] / (E2PI * v[1]));
    return {
      costs, K14,
      L: -0.5 * Math.log(2 * Math.PI * spread) - v0 / (2 * spread),
      K12: K14 + 0.5 * (beta[0] + kept[T]) * (1 - v0),
      top: 0.5 * Math.log(noise[T] / (E2PI * beta[0])),
      none: -0.5 * Math.log(2 * Math.PI) - v0 / 2,
    };
  }

  return {
    numbers(data, values) {
      const { L, K12, K14, top, none, costs } = chain(values);
      return [L, K12, K14, top, none, costs.reduce((a, b) => a + b, 0)];
    },
    curves(data, values) {
      const { L, K12, K14, top, none, costs } = chain(values), T = values.T;
      return {
        bounds: [[0, 1], [K12 - none, K14 - none]],
        truth: [[2], [L - none]],
        top: [[3], [top - none]],
        costs: [costs.map((_, n) => (n + 2) / T), costs],
      };
    },
    reading(data, values) {
      const { L, K12, K14 } = chain(values);
      const above = K14 > L + 1e-9 ? `: above L, so it is no bound here` : "";
      return `L = ${L.toFixed(4)} nats. Equation 12: K = ${K12.toFixed(4)}, ${(L - K12).toFixed(4)} below. `
        + `Equation 14: ${K14.toFixed(4)}${above}.`;
    },
  };
})());
