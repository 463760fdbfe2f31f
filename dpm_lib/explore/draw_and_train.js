// A cloud that the reader draws, and a network of two layers that is trained on the bound in the page.
dpmTouch("draw_and_train", (() => {
  const OWN = 3, BATCH = 128, PER_FRAME = 12, BLUR = 0.08, UPDATES = 4000;
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  let points = [], samples = [], trace = [], best, run;

  // The network: numbers in one array, layer after layer; its outputs, and back from their slopes.
  function network(parameters, shapes) {
    const views = [];
    let first = 0;
    for (const shape of shapes) {
      const size = shape.reduce((a, b) => a * b);
      views.push([first, ...shape]);
      first += size;
    }
    const layer = (input, [w, rows, columns], [b], act) => Array.from({ length: columns }, (_, j) => {
      let sum = parameters[b + j];
      for (let i = 0; i < rows; i++) sum += input[i] * parameters[w + i * columns + j];
      return act ? Math.tanh(sum) : sum;
    });
    const back = (input, slope, [w, rows, columns], [b], gradient) => {
      const before = new Float64Array(rows);
      for (let j = 0; j < columns; j++) gradient[b + j] += slope[j];
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < columns; j++) {
          gradient[w + i * columns + j] += input[i] * slope[j];
          before[i] += parameters[w + i * columns + j] * slope[j];
        }
      }
      return before;
    };
    const through = (slope, out) => slope.map((s, i) => s * (1 - out[i] ** 2));
    return {
      size: first,
      ask(x, y, level) {
        const seen = [x, y, level, Math.sin(2 * level), Math.cos(2 * level)];
        const h1 = layer(seen, views[0], views[1], true), h2 = layer(h1, views[2], views[3], true);
        return { seen, h1, h2, z: layer(h2, views[4], views[5], false) };
      },
      back({ seen, h1, h2 }, slope, gradient) {
        const s2 = through(back(h2, slope, views[4], views[5], gradient), h2);
        const s1 = through(back(h1, s2, views[2], views[3], gradient), h1);
        back(seen, s1, views[0], views[1], gradient);
      },
    };
  }

  // Minus K without its ceiling at given data, noise and steps, and its gradient.
  function loss({ beta, alpha_bar, beta_bar }, net, rows, gradient) {
    const T = beta.length, share = (T - 1) / rows.length;
    let total = 0;
    for (const { x0, noise, t } of rows) {
      const rate = beta[t - 1], kept = alpha_bar[t], spread = beta_bar[t], before = beta_bar[t - 1];
      const xt = x0.map((x, i) => Math.sqrt(kept) * x + Math.sqrt(spread) * noise[i]);
      const asked = net.ask(xt[0], xt[1], Math.log(kept / spread) / 4), narrow = before / spread;
      const slope = [0, 1].map((i) => {
        const mean = Math.sqrt(1 - rate) * xt[i] + (rate / Math.sqrt(spread)) * asked.z[i];
        const right = (Math.sqrt(alpha_bar[t - 1]) * rate * x0[i] + Math.sqrt(1 - rate) * before * xt[i]) / spread;
        total += share * ((mean - right) ** 2 / (2 * rate) + 0.5 * (narrow - 1 - Math.log(narrow)));
        return (share * (mean - right)) / Math.sqrt(spread);
      });
      net.back(asked, slope, gradient);
    }
    return total;
  }

  function adam(size, rate) {
    const m = new Float64Array(size), v = new Float64Array(size);
    let n = 0;
    return (parameters, gradient) => {
      n += 1;
      for (let i = 0; i < size; i++) {
        m[i] = 0.9 * m[i] + 0.1 * gradient[i];
        v[i] = 0.999 * v[i] + 0.001 * gradient[i] ** 2;
        const step = Math.sqrt(v[i] / (1 - 0.999 ** n)) + 1e-8;
        parameters[i] -= (rate * m[i]) / (1 - 0.9 ** n) / step;
      }
    };
  }

  const scaled = (cloud) => {
    const mean = [0, 1].map((i) => cloud.reduce((sum, p) => sum + p[i], 0) / cloud.length);
    const square = cloud.reduce((sum, p) => sum + (p[0] - mean[0]) ** 2 + (p[1] - mean[1]) ** 2, 0) / (2 * cloud.length);
    const scale = Math.sqrt(square / (1 - BLUR ** 2)) || 1;
    return { mean, scale, cloud: cloud.map((p) => p.map((x, i) => (x - mean[i]) / scale)) };
  };

  // K* in bits: entropies of the first and of the last state of the drawn cloud, by draws.
  function optimum({ alpha_bar, beta_bar }, cloud) {
    const T = alpha_bar.length - 1, N = 1500;
    const entropy = (t) => {
      const kept = Math.sqrt(alpha_bar[t]), spread = alpha_bar[t] * BLUR ** 2 + beta_bar[t];
      let sum = 0;
      for (let n = 0; n < N; n++) {
        const [a, b] = cloud[n % cloud.length].map((x) => kept * x + Math.sqrt(spread) * normal());
        let density = 0;
        for (const [x, y] of cloud) density += Math.exp(-((a - kept * x) ** 2 + (b - kept * y) ** 2) / (2 * spread));
        sum -= Math.log(density / cloud.length / (2 * Math.PI * spread)) / N;
      }
      return sum;
    };
    return (entropy(T) - entropy(1) - Math.log(2 * Math.PI * Math.E)) / Math.LN2;
  }

  function train(data, redraw) {
    const { mean, scale, cloud } = scaled(points), T = data.beta.length;
    const net0 = network(new Float64Array(1), data.shapes), parameters = new Float64Array(net0.size);
    const net = network(parameters, data.shapes), step = adam(net.size, data.rate);
    let first = 0;
    for (const shape of data.shapes) {
      const size = shape.reduce((a, b) => a * b), last = shape === data.shapes[4];
      if (shape.length === 2 && !last) for (let i = 0; i < size; i++) parameters[first + i] = normal() / Math.sqrt(shape[0]);
      first += size;
    }
    const top = Math.log(data.beta_bar[T] / (2 * Math.PI * Math.E * data.beta[0]));
    best = optimum(data, cloud);
    trace = [];
    let smooth;
    const draws = () => Array.from({ length: 200 }, () => {
      let at = [normal(), normal()];
      for (let t = T; t >= 2; t--) {
        const rate = data.beta[t - 1], { z } = net.ask(at[0], at[1], Math.log(data.alpha_bar[t] / data.beta_bar[t]) / 4);
        at = at.map((x, i) => Math.sqrt(1 - rate) * x + (rate / Math.sqrt(data.beta_bar[t])) * z[i] + Math.sqrt(rate) * normal());
      }
      const rate = data.beta[0];
      return at.map((x, i) => mean[i] + scale * (Math.sqrt(1 - rate) * x + Math.sqrt(rate) * normal()));
    });
    const frame = () => {
      for (let n = 0; n < PER_FRAME; n++) {
        const rows = Array.from({ length: BATCH }, () => ({
          x0: cloud[Math.floor(Math.random() * cloud.length)].map((x) => x + BLUR * normal()),
          noise: [normal(), normal()], t: 2 + Math.floor(Math.random() * (T - 1)),
        }));
        const gradient = new Float64Array(net.size), K = (top - loss(data, net, rows, gradient)) / Math.LN2;
        step(parameters, gradient);
        smooth = smooth === undefined ? K : 0.98 * smooth + 0.02 * K;
      }
      trace.push(smooth);
      if (trace.length % 8 === 1) samples = draws();
      redraw();
      run = trace.length * PER_FRAME < UPDATES ? requestAnimationFrame(frame) : undefined;
    };
    run = requestAnimationFrame(frame);
  }

  const stop = () => { cancelAnimationFrame(run); run = undefined; };
  const columns = (cloud) => [cloud.map(([x]) => x), cloud.map(([, y]) => y)];
  return {
    numbers(data) {
      const size = network([], data.shapes).size;
      const parameters = Float64Array.from({ length: size }, (_, n) => 0.3 * Math.sin(1.7 * n));
      const gradient = new Float64Array(size), net = network(parameters, data.shapes);
      const rows = data.x0.map((x0, n) => ({ x0, noise: data.noise[n], t: data.t[n] }));
      const value = loss(data, net, rows, gradient), chosen = data.looked_at.map((n) => (n < 0 ? size + n : n));
      adam(size, data.rate)(parameters, gradient);
      return [value, ...chosen.map((n) => gradient[n]), ...chosen.map((n) => parameters[n])];
    },
    curves(data, { preset }) {
      if (!points.length && data.presets[preset]) points = data.presets[preset];
      const updates = trace.map((_, n) => (n + 1) * PER_FRAME);
      return {
        data: columns(points), samples: columns(samples), K: [updates, trace],
        best: best === undefined ? [[], []] : [[0, UPDATES], [best, best]],
      };
    },
    reading(data) {
      if (!trace.length) return "Draw over the blue picture (with a finger: choose \u201cdraw your own\u201d first), then press Train.";
      return `${trace.length * PER_FRAME} updates: K = ${trace.at(-1).toFixed(2)} bits, optimum ${best.toFixed(2)} (by draws).`;
    },
    setup({ root, svgs, data, draw, at }) {
      const buttons = root.querySelector(".dpm-controls"), select = root.querySelector("select");
      const add = (text, action) => {
        const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
        made.addEventListener("click", action);
        buttons.append(made);
      };
      const plane = svgs[0], own = () => +select.value === OWN;
      const clear = () => { stop(); [points, samples, trace, best] = [[], [], [], undefined]; };
      add("Train", () => { stop(); if (points.length > 3) train(data, draw); });
      add("Stop", () => { stop(); draw(); });
      add("Clear", () => { clear(); select.value = OWN; chosen(); draw(); });
      const chosen = () => { plane.style.touchAction = own() ? "none" : ""; };  // else a finger scrolls the page
      select.addEventListener("input", () => { clear(); chosen(); draw(); });
      let drawing = false;
      const dot = (event) => {
        const [x, y] = at(0, event), last = points.at(-1);
        if (!last || Math.hypot(x - last[0], y - last[1]) > 0.06) points = [...points, [x, y]].slice(-400);
        draw();
      };
      plane.style.cursor = "crosshair";
      plane.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "touch" && !own()) return;
        drawing = true;
        plane.setPointerCapture(event.pointerId);
        dot(event);
      });
      plane.addEventListener("pointermove", (event) => { if (drawing) dot(event); });
      for (const end of ["pointerup", "pointercancel"]) plane.addEventListener(end, () => { drawing = false; });
      chosen();
    },
  };
})());
