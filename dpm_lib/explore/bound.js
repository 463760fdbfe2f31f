// The terms of K, L and the gap for data of which all is known, under their exact reversal, in one dimension.
// L and K need the first rate and the signal that is left at the end, and no other: exact steps compose.
dpmTouch("bound", (() => {
  const DRAWN = 4, GAUSSIAN = 0, POINTS = 1, HALVINGS = 12;
  const noise = (variance) => 0.5 * Math.log(2 * Math.PI * Math.E * variance);  // entropy of a Gaussian
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

  // A line through heights at equal distances, u from 0 to 1.
  function between(heights, u) {
    const place = u * (heights.length - 1), n = Math.min(Math.floor(place), heights.length - 2);
    return heights[n] + (place - n) * (heights[n + 1] - heights[n]);
  }
  const knots = (data, values) => Array.from({ length: data.knots }, (_, n) => values[`b${n}`]);
  function rates(data, values) {
    const { schedule, T } = values;
    if (schedule !== DRAWN) return SCHEDULES[schedule](T);
    return Array.from({ length: T }, (_, n) => 10 ** between(knots(data, values), n / (T - 1)));
  }

  // The data: bells at a and -a of variance b each; points if b is 0; one bell if they are Gaussian.
  function law(data, { data: kind, v0 }) {
    const b = [v0, 0, data.share * v0][kind];
    return { kind, a: Math.sqrt(v0 - b), b };
  }

  // Entropy of a state with this part of the signal left: a sum over the grid of dpm_lib.
  function entropy({ kind, a, b }, kept) {
    const m = Math.sqrt(kept) * a, v = kept * b + 1 - kept, s = Math.sqrt(v), h = 0.25 * s;
    if (kind === GAUSSIAN) return noise(v);
    let sum = 0;
    for (let x = -m - 9 * s, n = Math.floor((2 * m + 18 * s) / h) + 2; n > 0; n--, x += h) {
      const u = Math.abs((x * m) / v);
      const log = u + Math.log1p(Math.exp(-2 * u)) - (x * x + m * m) / (2 * v) - 0.5 * Math.log(8 * Math.PI * v);
      sum -= Math.exp(log) * log * h;
    }
    return sum;
  }

  // L of the model: x(T) of the prior, then x(1) by the reversal of all steps but the first, then the edge step.
  function likelihood({ kind, a, b }, first, left) {
    const after = (1 - first) * b + first, end = left * b + 1 - left, kept = left / (1 - first);
    const gain = (Math.sqrt(kept) * after) / end, edge = Math.sqrt(1 - first);
    const spread = (1 - first) * (after * (1 - kept)) / end + first;  // of x(0), given x(T) and the bell
    if (kind === GAUSSIAN) {
      const made = (edge * gain) ** 2 + spread;
      return -0.5 * Math.log(2 * Math.PI * made) - b / (2 * made);
    }
    const m = Math.sqrt(left) * a, slope = edge * gain, shift = edge * (edge * a - gain * m);
    const width = 1 / Math.sqrt(1 + slope ** 2 / spread), reach = 9;
    const h = Math.max(Math.min(0.25 * width, m ? (0.3 * end) / m : 1), 2 * reach / 6000);
    const states = [];  // a state x(T), its share of the sum, and that of the upper bell
    for (let x = -reach; x <= reach; x += h) {
      const prior = (h * Math.exp(-(x * x) / 2)) / (2 * Math.PI * Math.sqrt(spread));
      const upper = 1 / (1 + Math.exp((-2 * x * m) / end));
      states.push([slope * x, prior * upper, prior * (1 - upper)]);
    }
    const log = (x0) => Math.log(states.reduce((sum, [mean, upper, lower]) => sum
      + upper * Math.exp(-((x0 - shift - mean) ** 2) / (2 * spread))
      + lower * Math.exp(-((x0 + shift - mean) ** 2) / (2 * spread)), 0));
    if (kind === POINTS) return log(a);
    let sum = 0;
    for (let z = -8; z <= 8; z += 0.125) sum += 0.125 * Math.exp(-(z * z) / 2) * log(a + Math.sqrt(b) * z);
    return sum / Math.sqrt(2 * Math.PI);
  }

  // K of equations 12 and 14, and L.
  function scores(data, values, first, left) {
    const here = law(data, values);
    const K14 = entropy(here, left) - entropy(here, 1 - first) - noise(1);
    return { K14, K12: K14 + 0.5 * (first + left) * (1 - values.v0), L: likelihood(here, first, left) };
  }

  // The same erasure with each step split into equal parts: only the first rate changes.
  function gap(data, values, beta, parts) {
    const left = beta.reduce((kept, rate) => kept * (1 - rate), 1);
    const { L, K12 } = scores(data, values, -Math.expm1(Math.log1p(-beta[0]) / parts), left);
    return L - K12;
  }

  function all(data, values) {
    const beta = rates(data, values), here = law(data, values), costs = [];
    let kept = 1 - beta[0], known = entropy(here, kept) - noise(1 - kept);  // what a state says of the data
    for (const rate of beta.slice(1)) {
      const before = known;
      kept *= 1 - rate;
      known = entropy(here, kept) - noise(1 - kept);
      costs.push(before - known);
    }
    return {
      beta, costs, ...scores(data, values, beta[0], kept), kl: costs.reduce((a, b) => a + b, 0),
      ends: [noise(1 - kept), -noise(beta[0]), -noise(1)],
      none: -0.5 * Math.log(2 * Math.PI) - values.v0 / 2,
    };
  }

  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const power = (number) => Math.log10(Math.max(number, 1e-9));
  return {
    numbers(data, values) {
      const { beta, L, K12, K14, kl, ends, none } = all(data, values);
      return [L, K12, K14, sum(ends), none, kl, ...ends, gap(data, values, beta, 3)];
    },
    curves(data, values) {
      const { beta, costs, L, K12, K14, kl, ends, none } = all(data, values), T = values.T;
      const halvings = Array.from({ length: HALVINGS + 1 }, (_, n) => n / 2), u = beta.map((_, n) => n / (T - 1));
      const gaps = halvings.map((n) => power(gap(data, values, beta, 2 ** n)));
      const places = Array.from({ length: data.knots }, (_, n) => n / (data.knots - 1));
      return {
        beta: [u, beta.map(power)],
        knots: [places, places.map((at) => between(beta.map(power), at) || -1e-9)],
        costs: [u.slice(1), costs.map((cost) => Math.max(-4, power(cost)))],
        kl: [[0], [-kl]], ends: [[1, 2, 3], ends], rest: [[4], [K12 - K14]],
        bounds: [[0, 1], [K12 - none, K14 - none]], truth: [[2], [L - none]], top: [[3], [sum(ends) - none]],
        gaps: [halvings, gaps], slope: [[0, HALVINGS / 2], [gaps[0], gaps[0] - (HALVINGS / 2) * Math.log10(2)]],
      };
    },
    reading(data, values) {
      const { beta, L, K12, K14 } = all(data, values), found = L - K12, half = gap(data, values, beta, 2) / found;
      const split = found > 1e-9 ? ` With every step split in two it is ${half.toFixed(2)} of that.` : "";
      const points = values.data === POINTS ? " Points have no density: it tends to ½ (1 − log 2) = 0.153 and not to 0." : "";
      const above = K14 > L + 1e-9 ? ", above L, so no bound" : "";
      const how = values.schedule === DRAWN ? "Draw the rates over the first plane. " : "";
      return `${how}L = ${L.toFixed(3)} nats, K of equation 12 is ${K12.toFixed(3)}: a gap of ${found.toFixed(4)}.${split}${points} `
        + `Equation 14: ${K14.toFixed(3)}${above}.`;
    },
    shown: (name, value) => (name[0] === "b" ? (10 ** value).toPrecision(2) : undefined),

    // Drawing over the rates, or moving their ends, makes them the reader's own; else the knots follow the choice.
    setup({ root, svgs, data, at }) {
      const input = (name) => root.querySelector(`[name="${name}"]`), choice = input("schedule");
      const bends = Array.from({ length: data.knots }, (_, n) => input(`b${n}`)), last = data.knots - 1;
      const heights = () => bends.map((bend) => +bend.value);
      const bend = (n, height) => { bends[n].value = Math.min(data.most, Math.max(data.least, height)).toFixed(2); };
      let before = heights();
      root.addEventListener("input", ({ target }) => {
        const moved = bends.indexOf(target);
        if (moved >= 0) {
          const by = +target.value - before[moved];
          for (let n = 1; n < last; n++) bend(n, before[n] + (by * (moved ? n : last - n)) / last);
          choice.value = DRAWN;
        } else if (+choice.value !== DRAWN) {
          const logs = SCHEDULES[+choice.value](+input("T").value).map(power);
          bends.forEach((_, n) => bend(n, between(logs, n / last)));
        }
        before = heights();
        settle();
      }, true);

      const [panel] = svgs;
      let from;
      function settle() {  // a finger draws where that was chosen, and scrolls the page else
        panel.style.touchAction = +choice.value === DRAWN ? "none" : "";
      }
      const draw = (event) => {
        const [x, y] = at(0, event), u = Math.min(1, Math.max(0, x)), [u0, y0] = from ?? [u, y];
        const near = Math.round(u * last);
        bends.forEach((_, n) => {
          const place = n / last, share = (place - u0) / (u - u0);
          if (n === near) bend(n, y);
          else if (share > 0 && share < 1) bend(n, y0 + share * (y - y0));
        });
        from = [u, y];
        choice.value = DRAWN;
        choice.dispatchEvent(new Event("input", { bubbles: true }));
      };
      settle();
      panel.style.cursor = "crosshair";
      panel.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "touch" && +choice.value !== DRAWN) return;
        panel.setPointerCapture(event.pointerId);
        from = undefined;
        draw(event);
      });
      panel.addEventListener("pointermove", (event) => { if (from) draw(event); });
      for (const end of ["pointerup", "pointercancel"]) panel.addEventListener(end, () => { from = undefined; });
    },
  };
})());
