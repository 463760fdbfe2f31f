// node bundle.mjs FOLDER ARCHIVE: compile the modules of a folder with the Python that will run them in
// the page, without docstrings, with every assert, and put them into a zip archive.
import { copyFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const [folder, archive] = process.argv.slice(2);
const python = await loadPyodide();
python.FS.mkdir("/in");
python.FS.mount(python.FS.filesystems.NODEFS, { root: folder }, "/in");
python.runPython(`
import ast, importlib.util, marshal, struct, zipfile
from pathlib import Path

DOCUMENTED = ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

def compiled(source, name):
    tree = ast.parse(source, name)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = [] if node.body[1:] else [ast.copy_location(ast.Pass(), node.body[0])]
    code = compile(tree, name, "exec", dont_inherit=True, optimize=0)
    head = importlib.util.MAGIC_NUMBER + struct.pack("<I", 1) + importlib.util.source_hash(source)
    return head + marshal.dumps(code)

with zipfile.ZipFile("/in/all.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path in sorted(Path("/in").rglob("*.py")):
        name = path.relative_to("/in").as_posix()
        info = zipfile.ZipInfo(name + "c", (2020, 1, 1, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, compiled(path.read_bytes(), name), compresslevel=9)
`);
copyFileSync(`${folder}/all.zip`, archive);
