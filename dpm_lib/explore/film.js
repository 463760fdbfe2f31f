// Plays the figures of dpm_lib.explore.Film: frame t is a path of one dot for each point.
for (const root of document.querySelectorAll(".dpm-film:not([data-ready])")) {
  root.dataset.ready = "";
  const bytes = Int8Array.from(atob(root.dataset.frames), (c) => c.charCodeAt(0));
  const [path, bar, play, out] = ["path", "input", "button", "output"].map((tag) => root.querySelector(tag));
  const n = +root.dataset.points, T = +bar.max;
  let timer = 0;
  const show = (t) => {
    const first = 2 * n * t;
    let d = "";
    for (let i = first; i < first + 2 * n; i += 2) d += `M${bytes[i]} ${-bytes[i + 1]}h0`;
    path.setAttribute("d", d);
    bar.value = t;
    out.textContent = `t = ${t}`;
  };
  const run = (t) => {
    show(t);
    timer = t > 0 ? setTimeout(run, t === T ? 700 : 90, t - 1) : 0;
  };
  play.addEventListener("click", () => { clearTimeout(timer); run(T); });
  bar.addEventListener("input", () => { clearTimeout(timer); show(+bar.value); });
  root.querySelector("div").hidden = false;
  if (!matchMedia("(prefers-reduced-motion: reduce)").matches) run(T);
}
