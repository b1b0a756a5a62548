// Says which tables and figures scroll, opens details for print, tells what is pointed at, and filters points.
"use strict";
const all = (selector) => [...document.querySelectorAll(selector)];

function sayWhatScrolls() {
  for (const box of all(".scroll")) {
    const more = box.scrollWidth > box.clientWidth + 1;
    box.classList.toggle("more", more);
    if (more) box.tabIndex = 0; else box.removeAttribute("tabindex");
  }
}
addEventListener("resize", sayWhatScrolls);
addEventListener("toggle", sayWhatScrolls, true);
sayWhatScrolls();

let opened = [];
addEventListener("beforeprint", () => {
  opened = all("details:not([open])");
  for (const each of opened) each.open = true;
});
addEventListener("afterprint", () => { for (const each of opened) each.open = false; });

for (const mark of all("svg .mark")) {
  const told = mark.closest("figure")?.querySelector(".told");
  const tell = () => { if (told) told.textContent = mark.querySelector("title").textContent; };
  for (const event of ["pointerenter", "focus", "click"]) mark.addEventListener(event, tell);
}

for (const form of all("form.filter")) {
  const apply = () => {
    const limits = new FormData(form);
    const most = (name) => limits.get(name) ? Number(limits.get(name)) : Infinity;
    const sign = form.dataset.sign === "-1" ? -1 : 1;
    const least = limits.get("score") ? sign * Number(limits.get("score")) : -Infinity;
    const kinds = limits.getAll("kind");
    let shown = 0;
    for (const mark of all(".mark")) {
      const { score, cycles, bits, kind } = mark.dataset;
      const stays = Number(score) >= least && Number(cycles) <= most("cycles") && Number(bits) <= most("bits") && kinds.includes(kind);
      mark.classList.toggle("left-out", !stays);
      shown += stays && mark.tagName === "TR";
    }
    form.querySelector("output").textContent = `${shown} finished points shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
}
