// The forward chain and its exact reversal in the plane, for mixtures of narrow bells along a curve.
dpmTouch("chains", (() => {
  const reversed = new Map();  // clouds of the reverse chain, by law: made once, from T down to 0

  function random(seed) {  // uniform numbers, always the same
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let u = Math.imul(a ^ (a >>> 15), 1 | a);
      u = (u + Math.imul(u ^ (u >>> 7), 61 | u)) ^ u;
      return ((u ^ (u >>> 14)) >>> 0) / 4294967296;
    };
  }
  const normal = (uniform) => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());

  // The bells behind a state (x, y) of step t: their weights, and the means of the step before.
  function behind({ alpha_bar, beta }, { means, weights, variance }, t, x, y) {
    const kept = Math.sqrt(alpha_bar[t]), before = Math.sqrt(alpha_bar[t - 1]), step = Math.sqrt(1 - beta[t - 1]);
    const after = alpha_bar[t] * variance + 1 - alpha_bar[t], ahead = alpha_bar[t - 1] * variance + 1 - alpha_bar[t - 1];
    const gain = (step * ahead) / after;
    const log = means.map(([a, b], k) => Math.log(weights[k])
      - ((x - kept * a) ** 2 + (y - kept * b) ** 2) / (2 * after));
    const most = Math.max(...log), heard = log.map((l) => Math.exp(l - most)), sum = heard.reduce((a, b) => a + b, 0);
    return {
      chance: heard.map((h) => h / sum),
      mean: (k) => [before * means[k][0] + gain * (x - kept * means[k][0]), before * means[k][1] + gain * (y - kept * means[k][1])],
      spread: (ahead * beta[t - 1]) / after,
      density: most + Math.log(sum) - Math.log(2 * Math.PI * after),
    };
  }

  function clouds(data, law) {
    if (reversed.has(law)) return reversed.get(law);
    const uniform = random(7), T = data.beta.length, path = [];
    let state = data.noise.map(() => [normal(uniform), normal(uniform)]);
    path[T] = state;
    for (let t = T; t >= 2; t--) {
      state = state.map(([x, y]) => {
        const { chance, mean, spread } = behind(data, data.laws[law], t, x, y), u = uniform();
        let k = 0, sum = chance[0];
        while (sum < u && k < chance.length - 1) sum += chance[++k];
        return mean(k).map((m) => m + Math.sqrt(spread) * normal(uniform));
      });
      path[t - 1] = state;
    }
    const rate = data.beta[0];  // the fixed last step
    path[0] = state.map((at) => at.map((z) => Math.sqrt(1 - rate) * z + Math.sqrt(rate) * normal(uniform)));
    reversed.set(law, path);
    return path;
  }

  const columns = (points) => [points.map(([x]) => x), points.map(([, y]) => y)];
  return {
    numbers(data, { law, t, x, y }) {
      const { chance, mean, density } = behind(data, data.laws[law], t, x, y);
      return [0, 1].map((axis) => chance.reduce((sum, c, k) => sum + c * mean(k)[axis], 0)).concat(density);
    },
    curves(data, { law, t }) {
      const kept = Math.sqrt(data.alpha_bar[t]), spread = Math.sqrt(1 - data.alpha_bar[t]);
      const forward = data.laws[law].starts.map((p, n) => p.map((z, axis) => kept * z + spread * data.noise[n][axis]));
      return { forward: columns(forward), reverse: columns(clouds(data, law)[t]) };
    },
    reading: (data, { t }) => `After ${t} steps ${(100 * data.alpha_bar[t]).toFixed(1)} % of the signal is left. `
      + `Read the red picture from large t to small: it begins with noise.`,
  };
})());
