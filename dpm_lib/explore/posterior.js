// The posterior of a forward step: equations forward-posterior and forward-posterior-binomial.
dpmTouch("posterior", (() => {
  const grid = Array.from({ length: 161 }, (_, n) => -3 + (6 * n) / 160);
  const bell = (mean, variance) => [grid, grid.map((x) => Math.exp(-((x - mean) ** 2) / (2 * variance)))];
  const relative = (log) => { const most = Math.max(...log); return [grid, log.map((l) => Math.exp(l - most))]; };

  function gaussian({ beta, alpha_bar, beta_bar }, { x0, xt, t }) {
    const rate = beta[t - 1], before = beta_bar[t - 1], after = beta_bar[t];
    return {
      mean: (Math.sqrt(alpha_bar[t - 1]) * rate * x0 + Math.sqrt(1 - rate) * before * xt) / after,
      variance: (before * rate) / after,
    };
  }

  function bits({ beta, alpha_bar, beta_bar, rate }, { t }) {
    const anew = beta[t - 1];
    return [[0, 0], [0, 1], [1, 0], [1, 1]].map(([x0, xt]) => {
      const ahead = alpha_bar[t - 1] * x0 + rate * beta_bar[t - 1];
      const to = (from) => { const one = (1 - anew) * from + rate * anew; return xt ? one : 1 - one; };
      return (ahead * to(1)) / (ahead * to(1) + (1 - ahead) * to(0));
    });
  }

  return {
    numbers(data, values) {
      const { mean, variance } = gaussian(data, values);
      return [mean, variance, ...bits(data, values)];
    },
    curves(data, values) {
      const { mean, variance } = gaussian(data, values), { x0, xt, t } = values, rate = data.beta[t - 1];
      const seen = grid.map((x) => -((xt - Math.sqrt(1 - rate) * x) ** 2) / (2 * rate));
      const scaled = (at, spread) => relative(grid.map((x) => -((x - at) ** 2) / (2 * spread)));
      return {
        ahead: scaled(Math.sqrt(data.alpha_bar[t - 1]) * x0, data.beta_bar[t - 1]),
        seen: [grid, seen.map(Math.exp)],
        posterior: scaled(mean, variance),
        bits: [[0, 1, 2, 3], bits(data, values)],
      };
    },
    reading(data, values) {
      const { mean, variance } = gaussian(data, values);
      return `Posterior: mean ${mean.toFixed(3)}, standard deviation ${Math.sqrt(variance).toFixed(3)}; `
        + `the step itself has ${Math.sqrt(data.beta[values.t - 1]).toFixed(3)}.`;
    },
  };
})());
