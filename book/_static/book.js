// A formula that is wider than its column becomes smaller, down to a readable size; what is still
// wider than its box can be scrolled by the keyboard.
const SMALLEST = 0.65;
const fit = box => {
  const formula = box.querySelector(":scope > mjx-math");
  if (formula) {
    formula.style.fontSize = "";
    const ratio = box.clientWidth / box.scrollWidth;
    if (ratio < 1) formula.style.fontSize = `${100 * Math.max(SMALLEST, ratio - 0.005)}%`;
  }
  const scrolls = box.scrollWidth > box.clientWidth;
  if (!scrolls) box.removeAttribute("tabindex");
  else box.tabIndex = 0;
};
const watched = new ResizeObserver(
  entries => requestAnimationFrame(() => entries.forEach(entry => fit(entry.target))),
);
window.addEventListener("load", async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  document.documentElement.classList.add("typeset");
  document.querySelectorAll(
    'article :is(pre, mjx-container[display="true"], .output, .pst-scrollable-table-container), '
    + ".dpm-graph, .dpm-passport",
  ).forEach(box => watched.observe(box));
});
