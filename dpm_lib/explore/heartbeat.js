// Heartbeats: bits that are erased, and the rates of the exact reversal, bit by bit.
dpmTouch("heartbeat", (() => {
  const places = Array.from({ length: 20 }, (_, n) => n);
  const state = ({ patterns, when, tossed, alpha_bar }, { phase, t, draw }) =>
    places.map((i) => (when[draw][i] > alpha_bar[t] ? tossed[draw][i] : patterns[phase][i]));

  function before(data, values) {
    const { patterns, alpha_bar, beta_bar, beta, rate } = data, { t } = values, xt = state(data, values);
    const after = (x0, s) => alpha_bar[s] * x0 + rate * beta_bar[s];  // chance of a 1 after s steps
    const chance = (one, x) => (x ? one : 1 - one);
    const weights = patterns.map((p) => places.reduce((product, i) => product * chance(after(p[i], t), xt[i]), 1));
    const sum = weights.reduce((a, b) => a + b, 0);
    return places.map((i) => patterns.reduce((total, p, k) => {
      const one = after(p[i], t - 1) * chance(1 - beta[t - 1] + rate * beta[t - 1], xt[i]);
      const zero = (1 - after(p[i], t - 1)) * chance(rate * beta[t - 1], xt[i]);
      return total + ((weights[k] / sum) * one) / (one + zero);
    }, 0));
  }

  return {
    numbers: before,
    curves(data, values) {
      const pulses = [places, data.patterns[values.phase].map((bit) => 1.08 * bit)];
      return { state: [places, state(data, values)], rates: [places, before(data, values)], clean: pulses, again: pulses };
    },
    reading(data, values) {
      const xt = state(data, values), wrong = xt.filter((bit, i) => bit !== data.patterns[values.phase][i]).length;
      return `After ${values.t} steps ${wrong} of 20 bits are not those of the data.`;
    },
  };
})());
