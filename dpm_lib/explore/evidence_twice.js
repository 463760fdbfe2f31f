// A noisy look at Gaussian data: the posterior, and what three rules make of it, as bells and as points that run.
dpmTouch("evidence_twice", (() => {
  const grid = Array.from({ length: 161 }, (_, n) => -4 + (8 * n) / 160);
  const bell = ([mean, variance]) => [grid, grid.map((x) =>
    Math.exp(-((x - mean) ** 2) / (2 * variance)) / Math.sqrt(2 * Math.PI * variance))];
  let noise;  // of all steps and points, made once, and the same for the three rules

  // What a rule holds of a state after t steps: y is seen of g times the state, with a noise.  No look at all: g is 0.
  function looks(kept, { s, v0 }) {
    const T = kept.length - 1, power = (p) => (p ? [1, s ** 2 / p] : [0, 1]), after = kept[1] * v0 + 1 - kept[1];
    return {
      paper: () => power(1),
      tempered: (t) => power((T - t) / T),
      exact(t) {  // through what the model expects of the data
        if (t === 0) return power(1);
        const part = kept[t] / kept[1], spread = kept[t] * v0 + 1 - kept[t], rest = (after * (1 - part)) / spread;
        return [(Math.sqrt(kept[t]) * after) / spread, kept[1] * rest + 1 - kept[1] + s ** 2];
      },
    };
  }

  // Start and steps T ... 1 of a rule: a state x becomes gain x + shift, and noise of this variance.
  function steps({ beta }, values, rule) {
    const T = beta.length, kept = [1];
    for (const rate of beta) kept.push(kept.at(-1) * (1 - rate));
    const look = looks(kept, values)[rule], v = kept.map((k) => k * values.v0 + 1 - k);
    const times = (gain, noise, t) => {
      const [g, wide] = look(t), pull = (noise * g) / (g * g * noise + wide), left = 1 - pull * g;
      return { gain: left * gain, shift: pull * values.y, noise: left * noise };
    };
    const made = [times(0, 1, T)];
    for (let t = T; t >= 1; t--) {
      const ratio = t > 1 ? v[t - 1] / v[t] : 1;
      made.push(times(Math.sqrt(1 - beta[t - 1]) * ratio, beta[t - 1] * ratio, t - 1));
    }
    return made;
  }

  // Mean and variance of a rule after t steps, and its points there.
  const moments = (data, values, rule, t = 0) => steps(data, values, rule).slice(0, data.beta.length + 1 - t)
    .reduce(([mean, variance], { gain, shift, noise: fresh }) => [gain * mean + shift, gain ** 2 * variance + fresh], [0, 0]);
  function points(data, values, rule) {
    const T = data.beta.length, N = data.points;
    noise ??= dpmTouch.normals(7, (T + 1) * N);
    return steps(data, values, rule).slice(0, T + 1 - values.t).reduce((state, { gain, shift, noise: fresh }, n) =>
      state.map((x, k) => gain * x + shift + Math.sqrt(fresh) * noise[n * N + k]), new Array(N).fill(0));
  }

  const posterior = ({ y, s, v0 }) => [(v0 * y) / (v0 + s ** 2), (v0 * s ** 2) / (v0 + s ** 2)];
  const RULES = ["paper", "tempered", "exact"];  // from the upper row to the lower
  return {
    numbers: (data, values) => [
      ...RULES.flatMap((rule) => moments(data, values, rule)), ...posterior(values),
      ...RULES.flatMap((rule) => [moments(data, values, rule, values.t)[0], ...points(data, values, rule).slice(0, 3)]),
    ],
    curves(data, values) {
      const { y, s, v0, t } = values, answer = posterior(values), ran = {};
      RULES.forEach((rule, n) => {
        const at = points(data, values, rule), [mean] = moments(data, values, rule, t), row = 2 - n;
        ran[`ran_${rule}`] = [at, at.map((_, k) => row + 0.5 + 0.7 * (((0.618 * k) % 1) - 0.5))];
        ran[`mean_${rule}`] = [[mean, mean], [row + 0.05, row + 0.95]];
      });
      return {
        prior: bell([0, v0]), look: bell([y, s ** 2]), posterior: bell(answer),
        paper: bell(moments(data, values, "paper")), tempered: bell(moments(data, values, "tempered")),
        goal: [[answer[0], answer[0]], [0, 3.2]], ...ran,
      };
    },
    reading(data, values) {
      const [mean, variance] = posterior(values), paper = moments(data, values, "paper", values.t);
      const where = values.t ? `After ${values.t} steps the paper's rule is at` : "The paper's rule ends at";
      return `Posterior: mean ${mean.toFixed(2)}, variance ${variance.toFixed(2)}. ${where} ${paper[0].toFixed(2)} and ${paper[1].toFixed(2)}.`;
    },
  };
})());
