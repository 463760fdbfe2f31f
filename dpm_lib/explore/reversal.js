// The exact reversal of a forward step for two clusters at -1 and 1, and the Gaussian of its moments.
dpmTouch("reversal", (() => {
  const grid = Array.from({ length: 161 }, (_, n) => -2.5 + (5 * n) / 160);
  const logNormal = (x, mean, variance) => -0.5 * (Math.log(2 * Math.PI * variance) + (x - mean) ** 2 / variance);

  function step({ variance }, { kept, power, xt }) {
    const rate = 10 ** power, before = kept * variance + 1 - kept, after = (1 - rate) * before + rate;
    const gain = (Math.sqrt(1 - rate) * before) / after, left = (before * rate) / after;
    const centres = [-1, 1].map((c) => Math.sqrt(kept) * c);
    const heard = centres.map((c) => logNormal(xt, Math.sqrt(1 - rate) * c, after)), most = Math.max(...heard);
    const weights = heard.map((l) => Math.exp(l - most)), sum = weights[0] + weights[1];
    const means = centres.map((c) => c + gain * (xt - Math.sqrt(1 - rate) * c));
    const w = weights.map((each) => each / sum), mean = w[0] * means[0] + w[1] * means[1];
    const spread = left + w[0] * w[1] * (means[0] - means[1]) ** 2;
    const log = (x) => {
      const each = means.map((m, k) => Math.log(w[k]) + logNormal(x, m, left)), top = Math.max(...each);
      return top + Math.log(Math.exp(each[0] - top) + Math.exp(each[1] - top));
    };
    return { mean, spread, log };
  }

  function divergence(data, values) {
    const { mean, spread, log } = step(data, values), N = 1200, width = (20 * Math.sqrt(spread)) / N;
    let sum = 0;
    for (let n = 0; n <= N; n++) {
      const x = mean + (n - N / 2) * width, a = log(x);
      sum += Math.exp(a) * (a - logNormal(x, mean, spread)) * width;
    }
    return sum;
  }

  return {
    numbers(data, values) {
      const { mean, spread, log } = step(data, values);
      return [mean, spread, log(0.3)];
    },
    curves(data, values) {
      const { mean, spread, log } = step(data, values), exact = grid.map(log), most = Math.max(...exact);
      const powers = Array.from({ length: 60 }, (_, n) => -3 + (2.98 * n) / 59);
      return {
        exact: [grid, exact.map((l) => Math.exp(l - most))],
        matched: [grid, grid.map((x) => Math.exp(logNormal(x, mean, spread) - most))],
        lost: [powers, powers.map((power) => Math.log10(Math.max(1e-12, divergence(data, { ...values, power }))))],
      };
    },
    shown: (name, value) => (name === "power" ? (10 ** value).toPrecision(2) : undefined),
    reading(data, values) {
      return `The Gaussian step loses ${divergence(data, values).toExponential(2)} nats here.`;
    },
  };
})());
