// A noisy look at Gaussian data: the posterior, and the chains of the paper's rule and of the tempered one.
dpmTouch("evidence_twice", (() => {
  const grid = Array.from({ length: 161 }, (_, n) => -4 + (8 * n) / 160);
  const bell = ([mean, variance]) => [grid, grid.map((x) =>
    Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance))];

  // Mean and variance at the end of the chain whose steps are multiplied by r to some power.
  function chain({ beta }, { y, s, v0 }, power) {
    const T = beta.length, kept = [1];
    for (const rate of beta) kept.push(kept.at(-1) * (1 - rate));
    const v = kept.map((k) => k * v0 + 1 - k);
    const times = (mean, variance, noise, p) => {  // a Gaussian of this mean and own noise, times r^p
      if (p === 0) return [mean, variance, noise, 1];
      const wide = s ** 2 / p, gain = noise / (noise + wide);
      return [mean + gain * (y - mean), (1 - gain) ** 2 * variance, gain * wide, 1 - gain];
    };
    let [mean, , variance] = times(0, 0, 1, power(T));
    for (let t = T; t >= 1; t--) {
      const gain = t > 1 ? (Math.sqrt(1 - beta[t - 1]) * v[t - 1]) / v[t] : Math.sqrt(1 - beta[0]);
      const noise = t > 1 ? (v[t - 1] * beta[t - 1]) / v[t] : beta[0];
      const [moved, carried, fresh] = times(gain * mean, gain ** 2 * variance, noise, power(t - 1));
      [mean, variance] = [moved, carried + fresh];
    }
    return [mean, variance];
  }

  function answers(data, values) {
    const { y, s, v0 } = values, kept = v0 / (v0 + s ** 2), T = data.beta.length;
    return [
      chain(data, values, () => 1), chain(data, values, (t) => (T - t) / T), [kept * y, kept * s ** 2],
    ];
  }

  return {
    numbers: (data, values) => answers(data, values).flat(),
    curves(data, values) {
      const [paper, tempered, posterior] = answers(data, values).map(bell), { y, s, v0 } = values;
      return { prior: bell([0, v0]), look: bell([y, s ** 2]), posterior, paper, tempered };
    },
    reading(data, values) {
      const [paper, , posterior] = answers(data, values);
      return `Posterior: mean ${posterior[0].toFixed(2)}, variance ${posterior[1].toFixed(2)}. `
        + `The paper's rule: ${paper[0].toFixed(2)} and ${paper[1].toFixed(2)}.`;
    },
  };
})());
