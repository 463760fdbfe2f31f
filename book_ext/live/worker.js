// Runs Python for one page: the interpreter and its archives lie beside this file.
// In: {id, call: "check" | "damage" | "slips", text}.  Out: {kind: "ready"}, {kind: "failed", words}, {id, answer}.
import { loadPyodide } from "./pyodide.mjs";

const here = new URL(".", import.meta.url).href;
const names = new URL(import.meta.url).searchParams.get("archives").split(" ");

async function bytes(name) {
  const answer = await fetch(here + name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function start() {
  const archives = Promise.all(names.map(bytes));  // beside what the interpreter loads itself
  const lock = new TextDecoder().decode(await bytes("lock.json"));
  const python = await loadPyodide({ indexURL: here, lockFileContents: JSON.parse(lock) });
  (await archives).forEach((archive, n) => {
    python.FS.writeFile(`/lib/${names[n]}`, archive);
    python.runPython(`import sys; sys.path.insert(0, "/lib/${names[n]}")`);
  });
  return python.pyimport("referee");
}

const referee = start();
referee.then(
  () => postMessage({ kind: "ready" }),
  (error) => postMessage({ kind: "failed", words: String(error.message ?? error) }),
);
onmessage = async ({ data: { id, call, text } }) => {
  const python = await referee;
  postMessage({ id, answer: JSON.parse(text === undefined ? python[call]() : python[call](text)) });
};
