// The two chains in the plane, for laws that are mixtures of narrow bells along a curve.
//   exact    the step of the exact reversal: a mixture with one bell for each bell of the data;
//   learned  the step of a trained network, h = silu(W h + V g(t) + b) in two hidden layers, whose outputs
//            give mean and variances; its numbers come as base64 of 16-bit integers, in units of 1 / data.unit;
//   walk     a cloud on its way back from T to 0, the same noise for both.
// Who chooses so draws a law in the first plane: the points, centred and scaled, become bells.
dpmTouch("chains", (() => {
  const OWN = 3, MOST = 160, APART = 0.08, PLACES = 4, ALONG = 24, LONGEST = 0.42;
  const own = { drawn: [], means: [], weights: [] };
  const made = new Map();  // clouds of both ways back of a law, and its arrows at a step: computed once
  const once = (key, make) => { if (!made.has(key)) made.set(key, make()); return made.get(key); };
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  const shares = (weights) => weights.map((w) => w / sum(weights));
  const lawOf = (data, n) => (n === OWN ? own : once(`${n} law`, () => ({ ...data.laws[n], weights: shares(data.laws[n].weights) })));

  // Before a state of step t: chances and means of the bells, their variance; and the density there.
  function behind({ alpha_bar, beta }, { means, weights, variance }, t, [x, y]) {
    const kept = Math.sqrt(alpha_bar[t]), before = Math.sqrt(alpha_bar[t - 1]), step = Math.sqrt(1 - beta[t - 1]);
    const after = alpha_bar[t] * variance + 1 - alpha_bar[t], ahead = alpha_bar[t - 1] * variance + 1 - alpha_bar[t - 1];
    const gain = (step * ahead) / after;
    const log = means.map(([a, b], k) => Math.log(weights[k])
      - ((x - kept * a) ** 2 + (y - kept * b) ** 2) / (2 * after));
    const most = Math.max(...log), heard = log.map((l) => Math.exp(l - most)), all = sum(heard);
    return {
      chances: heard.map((h) => h / all),
      mean: (k) => [before * means[k][0] + gain * (x - kept * means[k][0]), before * means[k][1] + gain * (y - kept * means[k][1])],
      spread: (ahead * beta[t - 1]) / after,
      density: most + Math.log(all) - Math.log(2 * Math.PI * after),
    };
  }

  function exact(data, law, t) {
    const moments = (at) => {
      const { chances, mean, spread, density } = behind(data, law, t, at), means = chances.map((_, k) => mean(k));
      const centre = [0, 1].map((i) => sum(chances.map((c, k) => c * means[k][i])));
      const mixed = (i, j) => sum(chances.map((c, k) => c * (means[k][i] - centre[i]) * (means[k][j] - centre[j])));
      return { mean: centre, covariance: [spread + mixed(0, 0), mixed(0, 1), spread + mixed(1, 1)], density };
    };
    const draw = (at, u, noise) => {
      const { chances, mean, spread } = behind(data, law, t, at);
      let k = 0, reached = chances[0];
      while (reached < u && k < chances.length - 1) reached += chances[++k];
      return mean(k).map((m, i) => m + Math.sqrt(spread) * noise[i]);
    };
    return { moments, draw };
  }

  const tables = (network) => once(network, () => Object.fromEntries(Object.entries(network).map(([name, text]) =>
    [name, Array.from(new Int16Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer))])));

  function learned({ alpha_bar, beta, unit }, { network: packed }, t) {
    const network = tables(packed);
    const T = beta.length, units = network["clock.bias"].length, count = network["clock.weight"].length / units;
    const near = Array.from({ length: count }, (_, j) => Math.exp(-(((t * (count - 1)) / T - j) ** 2) / 2)), all = sum(near);
    const time = network["clock.bias"].map((b, j) => b + sum(near.map((g, i) => (g / all) * network["clock.weight"][i * units + j])));
    const rate = beta[t - 1], push = rate / Math.sqrt(1 - alpha_bar[t]);
    const moments = ([x, y]) => {
      let h = [x, y], first = 0;
      for (const layer of [0, 1, 2]) {
        const from = h, weights = network[`weights.${layer}`], width = weights.length / from.length;
        h = Array.from({ length: width }, (_, j) => {
          let into = time[first + j];
          for (let i = 0; i < from.length; i++) into += from[i] * weights[i * width + j];
          into /= unit;
          return layer < 2 ? into / (1 + Math.exp(-into)) : into;
        });
        first += width;
      }
      const [across, up] = h.slice(2).map((z) => rate / (rate + (1 - rate) * Math.exp(-z)));
      return { mean: [x, y].map((v, i) => Math.sqrt(1 - rate) * v + push * h[i]), covariance: [across, 0, up] };
    };
    const draw = (at, u, noise) => {
      const { mean, covariance: [across, , up] } = moments(at);
      return [mean[0] + Math.sqrt(across) * noise[0], mean[1] + Math.sqrt(up) * noise[1]];
    };
    return { moments, draw };
  }

  function pairs(seed, count) {
    const drawn = dpmTouch.normals(seed, 2 * count);
    return Array.from({ length: count }, (_, n) => drawn.slice(2 * n, 2 * n + 2));
  }

  // Draws of a law: of each bell as many as its weight says.
  function draws({ points, thin }, { means, weights }) {
    let k = 0, reached = weights[0];
    return pairs(9, points).map((noise, n) => {
      while (reached < (n + 0.5) / points && k < means.length - 1) reached += weights[++k];
      return means[k].map((m, i) => m + thin * noise[i]);
    });
  }

  function walk(data, law, way) {
    const uniform = dpmTouch.uniform(7), normal = () => dpmTouch.normal(uniform), pair = () => [normal(), normal()];
    const T = data.beta.length, path = [];
    path[T] = Array.from({ length: data.points }, pair);
    for (let t = T; t >= 2; t--) {
      const { draw } = way(data, law, t);
      path[t - 1] = path[t].map((at) => draw(at, uniform(), pair()));
    }
    const rate = data.beta[0];  // the fixed last step
    path[0] = path[1].map((at) => at.map((z) => Math.sqrt(1 - rate) * z + Math.sqrt(rate) * normal()));
    return path;
  }

  const columns = (points) => [points.map(([x]) => x), points.map(([, y]) => y)];
  const GAP = [NaN, NaN];
  const arrow = ([x, y], [a, b]) => {
    const [c, d] = [0.3 * (x - a), 0.3 * (y - b)];
    return [[x, y], [a, b], GAP, [a + c - d / 2, b + d + c / 2], [a, b], [a + c + d / 2, b + d - c / 2], GAP];
  };
  const ellipse = ({ mean: [x, y], covariance: [xx, xy, yy] }) => {
    const across = Math.sqrt(xx), up = Math.sqrt(yy - xy ** 2 / xx);
    const around = Array.from({ length: ALONG + 1 }, (_, n) => (2 * Math.PI * n) / ALONG);
    return [...around.map((a) => [x + 2 * across * Math.cos(a), y + 2 * ((xy / across) * Math.cos(a) + up * Math.sin(a))]), GAP];
  };

  // Where noised data come, and how many times as long as they are the arrows are drawn there.
  function sky(data, law, t) {
    const { moments } = exact(data, law, t), seen = [];
    const [across, up] = data.grid;
    for (let i = -across; i <= across; i++) for (let j = -up; j <= up; j++) {
      const at = [data.apart * i, data.apart * j];
      seen.push({ at, ...moments(at) });
    }
    const least = Math.max(...seen.map(({ density }) => density)) - data.seen;
    const near = seen.filter(({ density }) => density > least);
    const longest = Math.max(...near.map(({ at, mean }) => Math.hypot(mean[0] - at[0], mean[1] - at[1])));
    return { tails: near.map(({ at }) => at), scale: LONGEST / longest };
  }

  const skyOf = (data, n, t) => once(`${n} sky ${t}`, () => sky(data, lawOf(data, n), t));

  // Arrows towards the mean of a step, and ellipses from a few places of the law.
  function wind(data, law, t, way, { tails, scale }) {
    const { moments } = way(data, law, t), count = law.means.length;
    const nodes = Array.from({ length: PLACES }, (_, k) => law.means[Math.floor((count * (k + 0.5)) / PLACES)]);
    const towards = (at) => moments(at).mean.map((m, i) => at[i] + scale * (m - at[i]));
    return [tails.flatMap((at) => arrow(at, towards(at))), nodes.flatMap((at) => ellipse(moments(at)))];
  }

  // What was drawn becomes a law: mean 0, second moment 1.
  function take({ thin }) {
    const mean = [0, 1].map((i) => sum(own.drawn.map((p) => p[i])) / own.drawn.length);
    const square = sum(own.drawn.flatMap((p) => p.map((z, i) => (z - mean[i]) ** 2))) / (2 * own.drawn.length);
    const scale = Math.sqrt((1 - thin ** 2) / square);
    own.means = own.drawn = own.drawn.map((p) => p.map((z, i) => (z - mean[i]) * (Number.isFinite(scale) ? scale : 1)));
    own.weights = own.means.map(() => 1 / own.means.length);
    own.variance = thin ** 2;
    for (const key of made.keys()) if (`${key}`.startsWith(`${OWN} `)) made.delete(key);
  }

  return {
    numbers(data, { law: n, t, x, y }) {
      const law = lawOf(data, n), { density, ...here } = exact(data, law, t).moments([x, y]);
      return [density, ...[here, learned(data, law, t).moments([x, y])].flatMap(({ mean, covariance }) => [...mean, ...covariance])];
    },
    curves(data, { law: n, t }) {
      const law = lawOf(data, n), kept = Math.sqrt(data.alpha_bar[t]), spread = Math.sqrt(1 - data.alpha_bar[t]);
      const noise = once("noise", () => pairs(8, data.points));
      const noised = () => once(`${n} draws`, () => draws(data, law)).map((p, k) => p.map((z, i) => kept * z + spread * noise[k][i]));
      const all = { forward: law.means.length ? noised() : own.drawn };
      for (const [name, way] of [["reverse", exact], ["model", learned]]) {
        const known = law.means.length && (way === exact || n !== OWN);
        all[name] = known ? once(`${n} ${name}`, () => walk(data, law, way))[t] : [];
        [all[`${name}_drift`], all[`${name}_spread`]] = known && t >= 2
          ? once(`${n} ${name} ${t}`, () => wind(data, law, t, way, skyOf(data, n, t))) : [[], []];
      }
      return Object.fromEntries(Object.entries(all).map(([name, points]) => [name, columns(points)]));
    },
    reading(data, { law: n, t }) {
      if (n === OWN && !own.means.length) return "Draw in the first plane, with a pointer or a finger. Then press Play.";
      const left = `After ${t} steps ${(100 * data.alpha_bar[t]).toFixed(1)} % of the signal is left. `;
      if (n === OWN) return `${left}What you drew was centred and scaled; its exact reversal is computed here.`;
      const [K, gaussian, optimum] = data.laws[n].bits.map((bits) => bits.toFixed(2).replace("-", "\u2212"));
      const scale = t < 2 ? 0 : skyOf(data, n, t).scale;
      const steps = scale ? `Arrows lead towards the mean of a step back, ${scale.toPrecision(2)} times as far; `
        + "ellipses are two standard deviations around it. " : "";
      return `${left}${steps}The model has K\u00a0=\u00a0${K} bits; Gaussian steps reach ${gaussian} at most, `
        + `exact ones ${optimum}.`;
    },
    setup({ root, svgs: [plane, , third], data, draw, at }) {
      const law = root.querySelector('[name="law"]'), t = root.querySelector('[name="t"]');
      const clear = Object.assign(document.createElement("button"), { type: "button", textContent: "Clear" });
      const [hint, note] = [plane, third].map((svg) => {
        const text = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "text"));
        for (const [name, value] of Object.entries({ x: 183, y: 104 })) text.setAttribute(name, value);
        return text;
      });
      root.querySelector(".dpm-controls").append(clear);
      let held = false;
      const chosen = () => {
        const draws = +law.value === OWN;
        plane.style.touchAction = draws ? "none" : "";  // else a finger scrolls the page
        plane.style.cursor = draws ? "crosshair" : "";
        clear.hidden = !draws;
        hint.textContent = draws && !own.drawn.length ? "Draw here." : "";
        note.textContent = draws ? "It has learned the other three laws alone." : "";
      };
      const dot = (event) => {
        const point = at(0, event), last = own.drawn.at(-1);
        if (own.drawn.length < MOST && !(last && Math.hypot(point[0] - last[0], point[1] - last[1]) < APART)) own.drawn = [...own.drawn, point];
        chosen();
        draw();
      };
      law.addEventListener("input", chosen);
      clear.addEventListener("click", () => { Object.assign(own, { drawn: [], means: [] }); chosen(); draw(); });
      plane.addEventListener("pointerdown", (event) => {
        if (+law.value !== OWN) return;
        held = true;
        own.means = [];
        t.value = 0;
        t.dispatchEvent(new Event("input"));
        plane.setPointerCapture(event.pointerId);
        dot(event);
      });
      plane.addEventListener("pointermove", (event) => { if (held) dot(event); });
      for (const end of ["pointerup", "pointercancel"]) plane.addEventListener(end, () => {
        if (!held) return;
        held = false;
        take(data);
        draw();
      });
      chosen();
    },
  };
})());
