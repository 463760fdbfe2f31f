// One switch at the top of a page opens or folds all code on it.
document.addEventListener("DOMContentLoaded", () => {
  const folds = [...document.querySelectorAll("details.dpm-fold, .dpm-passport details")];
  const place = document.querySelector(".article-header-buttons");
  if (!folds.length || !place) return;
  const button = document.createElement("button");
  button.className = "btn btn-sm dpm-switch";
  const say = () => {
    const open = folds.every((fold) => fold.open);
    button.textContent = open ? "Fold all" : "Open all";
    button.setAttribute("aria-pressed", open);
  };
  button.addEventListener("click", () => {
    const open = !folds.every((fold) => fold.open);
    folds.forEach((fold) => { fold.open = open; });
    say();
  });
  addEventListener("beforeprint", () => folds.forEach((fold) => { fold.open = true; }));
  say();
  place.prepend(button);
});
