// Figures of dpm_lib.explore.Touch.  A script of its own gives each figure three functions:
//   numbers(data, values)  what the library computed too, as an array;
//   curves(data, values)   {curve: [xs, ys]} for all panels; NaN is a gap;
//   reading(data, values)  what the numbers say, a sentence;
// and, if it does more, setup({ root, svgs, data, draw, at }), with at(n, event) a place in panel n.
// dpmTouch.uniform(seed) is a function that draws, always the same; dpmTouch.normals(seed, count) an array.
globalThis.dpmTouch ??= (() => {
  const LEFT = 34, RIGHT = 332, TOP = 12, BOTTOM = 196;

  function start(root, figure) {
    root.dataset.ready = "";
    const stored = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    const controls = [...root.querySelectorAll("[name]")], name = root.dataset.figure;
    const reading = root.querySelector(".dpm-reading"), parity = root.querySelector(".dpm-parity");
    const svgs = [...root.querySelectorAll("svg")];
    const values = () => Object.fromEntries(controls.map((c) => [c.name, +c.value]));
    const across = ({ x }, value) => LEFT + ((RIGHT - LEFT) * (value - x[0])) / (x[1] - x[0]);
    const up = ({ y }, value) => BOTTOM + ((TOP - BOTTOM) * (value - y[0])) / (y[1] - y[0]);
    const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

    function path(panel, kind, xs, ys) {
      const foot = up(panel, Math.max(0, panel.y[0]));
      const at = xs.map((x, n) => [across(panel, x), clamp(up(panel, ys[n]), TOP - 6, BOTTOM + 6)]);
      const inside = ([low, high], value) => low <= value && value <= high;
      const shown = (n) => ys[n] && inside(panel.x, xs[n]) && inside(panel.y, ys[n]);
      if (kind.contains("dots")) return at.map(([a, b], n) => (shown(n) ? `M${a.toFixed(2)} ${b.toFixed(2)}h0` : "")).join("");
      if (kind.contains("bars")) return at.map(([a, b]) => `M${a.toFixed(2)} ${foot.toFixed(2)}V${b.toFixed(2)}`).join("");
      const gap = (n) => n < 0 || Number.isNaN(at[n][0]);
      return at.map(([a, b], n) => (gap(n) ? "" : `${gap(n - 1) ? "M" : "L"}${a.toFixed(2)} ${b.toFixed(2)}`)).join("");
    }

    function draw() {
      const now = values(), curves = figure.curves(stored.data, now);
      svgs.forEach((svg, n) => {
        for (const drawn of svg.querySelectorAll("[data-curve]"))
          drawn.setAttribute("d", path(stored.panels[n], drawn.classList, ...curves[drawn.dataset.curve]));
        for (const handle of svg.querySelectorAll("[data-handle]")) {
          const x = across(stored.panels[n], now[handle.dataset.handle]);
          for (const [key, value] of Object.entries({ x1: x, x2: x, y1: TOP, y2: BOTTOM })) handle.setAttribute(key, value);
        }
      });
      for (const c of controls) {
        const shown = c.closest("label")?.querySelector("output");
        if (shown) shown.textContent = figure.shown?.(c.name, +c.value, stored.data) ?? c.value;
      }
      reading.textContent = figure.reading(stored.data, now);
    }

    function moved() {
      draw();
      const state = controls.map((c) => `${c.name}=${c.value}`).join("&");
      try { history.replaceState(null, "", `#${name}&${state}`); } catch { /* a page without an address */ }
    }

    function drag(svg, panel, handles) {
      let held, before;
      const value = (event) => {
        const box = svg.getBoundingClientRect(), x = ((event.clientX - box.left) / box.width) * 340;
        return panel.x[0] + ((x - LEFT) / (RIGHT - LEFT)) * (panel.x[1] - panel.x[0]);
      };
      svg.addEventListener("pointerdown", (event) => {
        const x = value(event), apart = (c) => Math.abs(+c.value - x);
        held = controls.filter((c) => handles.includes(c.name)).sort((a, b) => apart(a) - apart(b))[0];
        svg.setPointerCapture(event.pointerId);
        before = held.value;
        held.value = x;
        moved();
      });
      svg.addEventListener("pointermove", (event) => { if (held) { held.value = value(event); moved(); } });
      svg.addEventListener("pointerup", () => { held = undefined; });
      svg.addEventListener("pointercancel", () => {  // the finger went on to scroll the page
        if (held) { held.value = before; moved(); }
        held = undefined;
      });
      svg.classList.add("draggable");
    }

    const asked = new URLSearchParams(location.hash.slice(1));
    if (asked.has(name)) {
      for (const c of controls) if (asked.has(c.name)) c.value = asked.get(c.name);
      root.scrollIntoView();
    }
    root.querySelector(".dpm-controls").hidden = false;
    controls.forEach((c) => c.addEventListener("input", moved));
    for (const play of root.querySelectorAll("[data-play]")) {
      const moving = controls.find((c) => c.name === play.dataset.play);
      let timer = 0;
      const run = () => {
        draw();
        timer = +moving.value > +moving.min ? setTimeout(() => { moving.value -= moving.step; run(); }, 90) : 0;
      };
      play.addEventListener("click", () => { clearTimeout(timer); moving.value = moving.max; run(); });
      moving.addEventListener("input", () => clearTimeout(timer));
    }
    svgs.forEach((svg, n) => {
      const handles = [...svg.querySelectorAll("[data-handle]")].map((h) => h.dataset.handle);
      if (handles.length) drag(svg, stored.panels[n], handles);
    });
    const at = (n, event) => {
      const box = svgs[n].getBoundingClientRect(), { x, y } = stored.panels[n];
      const a = (event.clientX - box.left) * (340 / box.width), b = (event.clientY - box.top) * (230 / box.height);
      return [
        x[0] + ((a - LEFT) / (RIGHT - LEFT)) * (x[1] - x[0]),
        y[0] + ((b - BOTTOM) / (TOP - BOTTOM)) * (y[1] - y[0]),
      ];
    };
    figure.setup?.({ root, svgs, data: stored.data, draw, at });
    const apart = stored.inputs.flatMap((input, n) => figure.numbers(stored.data, input)
      .map((value, k) => Math.abs(value - stored.outputs[n][k])));
    const worst = apart.some(Number.isNaN) ? NaN : Math.max(...apart);
    root.dataset.parity = worst;
    parity.textContent = `The arithmetic of this figure and dpm_lib agree to ${worst.toExponential(0)} `
      + `(${apart.length} numbers, compared as the page loaded).`;
    draw();
  }

  function uniform(seed) {  // mulberry32, as dpm_lib.explore.mulberry
    let a = seed;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let u = Math.imul(a ^ (a >>> 15), 1 | a);
      u = (u + Math.imul(u ^ (u >>> 7), 61 | u)) ^ u;
      return ((u ^ (u >>> 14)) >>> 0) / 4294967296;
    };
  }
  const normal = (draw) => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
  function normals(seed, count) {
    const draw = uniform(seed);
    return Array.from({ length: count }, () => normal(draw));
  }

  const show = (name, figure) => {
    for (const root of document.querySelectorAll(`.dpm-touch[data-figure="${name}"]:not([data-ready])`)) start(root, figure);
  };
  return Object.assign(show, { uniform, normal, normals });
})();
