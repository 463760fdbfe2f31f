// The ledger sorts by a column, filters, and opens the row that an address names.  In the graph the
// arrows of the box under the mouse or with the focus stand out.
document.addEventListener("DOMContentLoaded", () => {
  const table = document.querySelector("table.dpm-ledger");
  if (!table) return;
  const rows = [...table.tBodies];
  const heads = [...table.tHead.rows[0].cells];
  const form = document.querySelector("form.dpm-filter");
  const { text, page, status } = form.elements;

  const value = (row, column) => row.rows[0].cells[column].dataset.value;
  const compare = (a, b) => {
    if (!a || !b) return (a ? 0 : 1) - (b ? 0 : 1); // what is missing comes last, up or down
    return isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const way = { ascending: "descending", descending: "none" }[head.ariaSort] ?? "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      if (way !== "none") head.setAttribute("aria-sort", way);
      const order = way === "none" ? rows : [...rows].sort((one, other) => {
        const [a, b] = [value(one, column), value(other, column)];
        return way === "ascending" || !a || !b ? compare(a, b) : compare(b, a);
      });
      table.append(...order);
    });
  });

  const words = new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
  const filter = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !(wanted.every(word => words.get(row).includes(word))
        && (!page.value || row.dataset.page === page.value)
        && (!status.value || row.dataset.status === status.value));
      count += !row.hidden;
    }
    form.querySelector("output").textContent = `${count} of ${rows.length} equations`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
  filter();

  const open = () => {
    const row = rows.find(each => `#${each.id}` === decodeURIComponent(location.hash));
    if (!row) return;
    row.querySelector("details").open = true;
    row.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", open);
  open();

  const graph = document.querySelector(".dpm-graph");
  const near = key => graph.querySelectorAll("path[data-ends]").forEach(
    path => path.classList.toggle("dpm-near", path.dataset.ends.split(" ").includes(key)),
  );
  for (const kind of ["pointerover", "focusin"]) {
    graph?.addEventListener(kind, event => near(event.target.closest("[data-key]")?.dataset.key));
  }
});
