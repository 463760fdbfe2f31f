// Hover or tap a symbol of a formula: its row of the table of symbols.  By keyboard: tab to a
// displayed formula, walk through its symbols with the arrows, close with Escape.
const ACCENTS = { "¯": "bar", "―": "bar", "–": "bar", "~": "tilde", "˜": "tilde", "^": "hat", "ˆ": "hat" };
const SCRIPTS = "mjx-msub, mjx-msup, mjx-msubsup";
const KINDS = { chosen: "chosen", defined: "defined", follows: "follows from the others" };

// The characters of an element; MathJax keeps them in the names of classes.
const text = node => [...node.querySelectorAll("mjx-c")].map(c => {
  const code = /mjx-c([0-9A-F]+)/.exec(c.className);
  if (!code) return "";
  const letter = String.fromCodePoint(parseInt(code[1], 16));
  return letter > "\u2000" && letter !== "ℓ" ? letter.normalize("NFKC") : letter;
}).join("").replace(/−/g, "-").replace(/∗/g, "*").replace(/\s/g, "");

const unwrapped = node => {
  while (/^MJX-(TEXATOM|MROW|BASE)$/.test(node.tagName) && node.children.length === 1) node = node.firstElementChild;
  return node;
};

// What a symbol is called: "β_t", "bar α_t-1", "x^(0)", "cal N"; null if it is no symbol.
function called(node) {
  node = unwrapped(node);
  const tag = node.tagName;
  if (tag === "MJX-MI") {
    const name = text(node);
    const glyph = node.querySelector("mjx-c");
    if (!glyph || [...name].length !== 1) return null;
    if (name === "d" && node.nextElementSibling?.matches(`mjx-mi, ${SCRIPTS}`)) return null; // dx
    if (/TEX-C/.test(glyph.className)) return `cal ${name}`;
    const upright = !/TEX-I/.test(glyph.className) && /[A-Za-z]/.test(name);
    return upright || /TEX-(?!I|N)/.test(glyph.className) ? null : name;
  }
  if (tag === "MJX-MOVER") {
    const [over, base] = [node.querySelector(":scope > mjx-over"), node.querySelector(":scope > mjx-base")];
    const accent = over && ACCENTS[text(over)[0]];
    const inner = base && called(base);
    return accent && inner ? `${accent} ${inner}` : null;
  }
  if (!node.matches(SCRIPTS)) return null;
  const base = called(node.firstElementChild);
  const script = node.querySelector(":scope > mjx-script");
  if (!base || !script) return null;
  if (tag === "MJX-MSUB") return `${base}_${text(script)}`;
  if (tag === "MJX-MSUP") return `${base}^${text(script)}`;
  const parts = [...script.children].filter(part => part.tagName !== "MJX-SPACER");
  return parts.length === 2 ? `${base}_${text(parts[1])}^${text(parts[0])}` : null;
}

// What stands behind a symbol, if it is a bracket: "(X(t)∣X(0))".
function bracket(node) {
  let next = node;
  while (next && !next.nextElementSibling && /^MJX-TEXATOM$/.test(next.parentElement.tagName)) next = next.parentElement;
  let found = "";
  while ((next = next.nextElementSibling) && found.length < 30) found += text(next);
  return /^[([]/.test(found) ? found : "";
}

// The rows of the table with the patterns of this page.
const patterns = () => (patterns.made ??= (window.SYMBOLS ?? []).flatMap(row => {
  const page = location.pathname.split("/").pop().replace(/\.html$/, ""), pattern = row.on[page] ?? row.pattern;
  return pattern ? [{ ...row, pattern: new RegExp(`^(?:${pattern})$`, "u") }] : [];
}));

// The one row of a symbol, or null.  A power of a symbol is still that symbol.
function row(node) {
  const name = called(node);
  if (!name) return null;
  const behind = bracket(node);
  for (const tried of [name, name.replace(/\^-?[\d/]+$/, "")]) {
    for (const full of [tried + behind, tried]) {
      const found = patterns().filter(each => each.pattern.test(full));
      if (found.length) return found.length === 1 ? found[0] : null;
    }
  }
  return null;
}

// A letter with its accent, indices and powers.
function whole(node) {
  for (;;) {
    let outer = node;
    while (/^MJX-(TEXATOM|BASE)$/.test(outer.parentElement.tagName) && outer.parentElement.children.length === 1) outer = outer.parentElement;
    const parent = outer.parentElement;
    const first = parent.tagName === "MJX-MOVER" ? outer.tagName === "MJX-BASE" : !outer.previousElementSibling;
    if (!first || !parent.matches(`${SCRIPTS}, mjx-mover`)) return node;
    node = parent;
  }
}

// The symbol that a letter belongs to, with its row.  An index belongs to what it stands at; only
// where that has no row, a single letter in it stands for itself.
function symbol(letter) {
  const script = letter.parentElement.closest("mjx-script, mjx-over");
  if (script?.parentElement.matches(`${SCRIPTS}, mjx-mover`)) {
    const outer = symbol(script.parentElement);
    if (outer) return outer;
    if (/[A-Za-z]{2}/.test(text(script))) return null;
  }
  const node = whole(letter);
  const found = row(node);
  return found && { node, row: found };
}

const box = document.createElement("div");
box.id = "dpm-symbol";
box.setAttribute("role", "status");
let shown = null;
let timer = 0;

function element(tag, content) {
  const made = document.createElement(tag);
  made.textContent = content;
  return made;
}

function hide() {
  clearTimeout(timer);
  shown?.classList.remove("dpm-shown");
  shown = null;
  box.replaceChildren();
}

function show({ node, row: found }) {
  if (node === shown) return;
  hide();
  shown = node;
  node.classList.add("dpm-shown");
  const formula = document.createElement("mjx-container");
  formula.className = "MathJax";
  formula.setAttribute("jax", "CHTML");
  formula.setAttribute("aria-hidden", "true");
  const math = document.createElement("mjx-math");
  const copy = node.cloneNode(true);
  copy.classList.remove("dpm-shown");
  math.append(copy);
  formula.append(math);
  const first = document.createElement("p");
  first.append(formula, element("span", ` ${found.meaning}`));
  const second = document.createElement("p");
  second.className = "dpm-small";
  for (const code of [found.code, found.shape].filter(Boolean)) second.append(element("code", code), " · ");
  const home = element("a", "all symbols");
  home.href = `${document.documentElement.dataset.content_root ?? ""}notation.html`;
  second.append(`${KINDS[found.kind]} · ${found.paper ? "the paper's letter" : "not in the paper"} · `, home);
  box.append(first, second);
  const place = node.getBoundingClientRect();
  const width = box.offsetWidth;
  const left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - width - 8));
  const below = place.bottom + box.offsetHeight + 8 < innerHeight;
  box.style.left = `${left + scrollX}px`;
  box.style.top = `${(below ? place.bottom + 4 : place.top - box.offsetHeight - 4) + scrollY}px`;
}

const symbols = formula => [...new Map([...formula.querySelectorAll("mjx-mi")].map(symbol).filter(Boolean).map(s => [s.node, s])).values()];
const under = target => {
  const letter = target.closest?.("mjx-mi, mjx-mo, mjx-mn");
  return letter?.closest("mjx-container") && !letter.closest("#dpm-symbol, a, summary") ? symbol(letter) : null;
};

function walk(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || event.target !== event.currentTarget) return;
  const all = symbols(event.currentTarget);
  if (!all.length) return;
  event.preventDefault();
  const at = all.findIndex(each => each.node === shown);
  show(all[at < 0 ? (step > 0 ? 0 : all.length - 1) : (at + step + all.length) % all.length]);
}

document.addEventListener("pointerover", event => {
  if (event.pointerType !== "mouse" || box.contains(event.target)) return clearTimeout(timer);
  clearTimeout(timer);
  const found = under(event.target);
  if (found) timer = setTimeout(show, 120, found);
  else if (shown && !document.activeElement?.matches("div.math")) timer = setTimeout(hide, 400);
});
document.addEventListener("click", event => {
  if (box.contains(event.target)) return;
  const found = under(event.target);
  if (found) show(found);
  else hide();
});
document.addEventListener("keydown", event => { if (event.key === "Escape") hide(); });
addEventListener("load", async () => {
  document.body.append(box);
  await window.MathJax?.startup?.promise;
  const hint = element("span", "Arrow keys explain the symbols, Escape closes.");
  hint.id = "dpm-symbol-hint";
  hint.hidden = true;
  document.body.append(hint);
  document.querySelectorAll("article div.math").forEach(formula => {
    formula.tabIndex = 0;
    formula.setAttribute("role", "group");
    formula.setAttribute("aria-label", "formula");
    formula.setAttribute("aria-describedby", hint.id);
    formula.addEventListener("keydown", walk);
    formula.addEventListener("blur", hide);
  });
});
