// Under each proof a box in which it runs and can be damaged.  Before the first click nothing is loaded but
// this file; then one worker serves all boxes of the page.
(() => {
  const script = document.currentScript;
  const address = new URL(`worker.js?archives=${script.dataset.archives}`, script.src);
  const waiting = new Map();
  let worker, started, count = 0;

  function start() {
    started = new Promise((ready, fail) => {
      if (location.protocol === "file:") {
        fail(new Error("a page opened as a file may not start Python; serve the folder: python -m http.server"));
        return;
      }
      worker = new Worker(address, { type: "module" });
      worker.onerror = (event) => fail(new Error(event.message || "Python did not start"));
      worker.onmessage = ({ data }) => {
        if (data.kind === "ready") ready();
        else if (data.kind === "failed") fail(new Error(data.words));
        else { waiting.get(data.id)(data.answer); waiting.delete(data.id); }
      };
    });
    return started;
  }

  function stop() {
    worker?.terminate();
    worker = started = undefined;
    waiting.forEach((answer) => answer({ kind: "stopped", words: "stopped" }));
    waiting.clear();
  }

  async function ask(call, text) {
    try { await (started ?? start()); } catch (error) {
      started = undefined;
      return { kind: "stopped", words: error.message };
    }
    return new Promise((answer) => {
      waiting.set(++count, answer);
      worker.postMessage({ id: count, call, text });
    });
  }

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const button = (text, action) => {
    const made = element("button", { type: "button", className: "btn btn-sm", textContent: text });
    made.addEventListener("click", action);
    return made;
  };
  const many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;

  function box(place) {
    const source = place.querySelector("script").textContent.replace(/^\n|\n$/g, "");
    const name = place.dataset.equation || "your proof";
    const area = element("textarea", { value: source, spellcheck: false, autocapitalize: "off" });
    area.setAttribute("aria-label", `program that proves ${name}`);
    area.rows = Math.min(24, source.split("\n").length + 1);
    const said = element("p", { className: "dpm-said" });
    said.setAttribute("role", "status");
    const shown = element("div", { className: "dpm-answer" });
    let checked;  // the program that the worker has in mind

    async function show(kind, words, formulas = []) {
      place.dataset.kind = kind;
      said.textContent = words;
      shown.replaceChildren(...formulas.map((tex) => element("div", { textContent: `\\[${tex}\\]` })));
      await window.MathJax?.typesetPromise?.([shown]);
    }
    const busy = (words) => show("busy", started ? words : "loading Python and SymPy, once for this page …");

    async function check() {
      busy("checking …");
      const text = area.value, answer = await ask("check", text);
      checked = answer.kind === "proved" ? text : undefined;
      const line = answer.line ? `, line ${answer.line}` : "";
      if (answer.kind === "proved") {
        const each = answer.proofs.map((p) =>
          `${many(p.steps, "step")}, ${p.by_rules} by rules; and in ${p.worlds.join("; ")}; `
          + `${many(p.mutants.length, "mutant")} refused`);
        await show("proved", `✓ What stands here holds: ${each.join(". ")}.`, answer.proofs.map((p) => p.latex));
      } else if (answer.kind === "refused") {
        const two = answer.sides.length === 2;
        const words = two ? answer.words.split(": ")[0] : answer.words;
        await show("refused", `✗ Refused${line}: ${two ? `${words.slice(0, 90)}: these are not equal` : words}`,
          two ? [answer.sides.join("\\;\\neq\\;")] : []);
      } else await show("stopped", `Not checked${line}: ${answer.words}`);
      return answer;
    }

    async function ready() {  // the worker has proved what stands in the box
      return checked === area.value || (await check()).kind === "proved";
    }

    async function damage(mutant) {
      if (!(await ready())) return;
      busy("checking …");
      const answer = await ask("damage", mutant);
      if (answer.kind === "stopped") await show("stopped", answer.words);
      else if (answer.kind === "proved") await show("proved", "✓ This says the same.", [answer.sides.join("=")]);
      else await show("refused",
        `✗ Refused: “${mutant}” differs from what was proved, by ${Number(answer.apart).toPrecision(3)} where it is `
        + `farthest (${answer.worlds.join("; ")}).`, [answer.sides.join("\\;\\neq\\;")]);
    }

    async function slips() {
      if (!(await ready())) return;
      busy("damaging every line in every way that is one slip of the pen …");
      const answer = await ask("slips");
      if (answer.kind !== "proved") await show(answer.kind, answer.words);
      else await show("refused", `✗ Refused: ${many(answer.refused, "formula")} that one slip makes of these lines. `
        + (answer.equal.length ? `${answer.equal.length} more ${answer.equal.length === 1 ? "says" : "say"} the same in other letters.` : ""));
    }

    const mutants = JSON.parse(place.dataset.mutants);
    const halt = button("Stop", () => { stop(); checked = undefined; });
    const again = button("As it was", () => { area.value = source; });
    place.append(
      element("p", {}, "Change a sign, an index or a letter, and let the machine check it."),
      area,
      element("p", { className: "dpm-buttons" }, button("Check", check), halt, again),
    );
    if (mutants.length) {
      place.append(element("p", { className: "dpm-buttons" }, "Or a damage that is ready: ",
        ...mutants.map((mutant) => button(mutant, () => damage(mutant))), button("every slip of the pen", slips)));
    }
    place.append(said, shown);
    place.check = check;  // for tests
    area.focus({ preventScroll: true });
    (started ?? start()).then(() => show("idle", "Python is ready."), (e) => show("stopped", `Not started: ${e.message}`));
  }

  addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".dpm-live").forEach((place) => {
      const open = button(place.dataset.title, () => { open.remove(); box(place); });
      place.append(open);
    });
  });
  window.dpmLive = { ask };
})();
