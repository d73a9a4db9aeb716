// The page without its explorer: theme, hover texts, tables, copying.
"use strict";
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const root = document.documentElement;
root.classList.add("scripted");
for (const control of $$("button[hidden]")) control.hidden = false;

// Where a page from disk may keep nothing, the choice lasts as long as the page.
const kept = {
  get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
  set: (value) => { try { localStorage.setItem("theme", value); } catch { /* not kept */ } },
};
const darkSystem = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : darkSystem.matches);
const repaint = () => {
  $("#theme").textContent = isDark() ? "Light" : "Dark";
  document.dispatchEvent(new Event("repaint"));
};
if (["light", "dark"].includes(kept.get())) root.dataset.theme = kept.get();
$("#theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  kept.set(root.dataset.theme);
  repaint();
});
darkSystem.addEventListener("change", repaint);
repaint();

// Without scripts, browsers show <title>; ours also comes by touch, and at once.
const tip = $("#tip");
for (const title of $$("svg .tip > title")) {
  title.parentElement.dataset.tip = title.textContent;
  title.remove();
}
const showTip = (text, x, y) => {
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - width - 4))}px`;
  tip.style.top = `${y + 16 + height > innerHeight ? y - height - 10 : y + 16}px`;
};
const hideTip = () => { tip.hidden = true; };
for (const kind of ["pointermove", "pointerdown"]) {
  document.addEventListener(kind, (event) => {
    const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    if (target) showTip(target.dataset.tip, event.clientX, event.clientY);
    else if (!(event.target instanceof HTMLCanvasElement)) hideTip();
  });
}
document.addEventListener("scroll", hideTip, { capture: true, passive: true });
// Without a pointer: the arrow keys go from value to value of the figure or table in focus.
const STEPS = { ArrowRight: 1, ArrowLeft: -1 };
let told = null;
const untell = () => { told?.classList.remove("told"); told = null; };
const tell = (element) => {
  untell();
  told = element;
  told.classList.add("told");
  told.scrollIntoView({ block: "nearest", inline: "nearest" });
  // Scrolling hides the text; it is shown once that is over.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const { left, bottom } = element.getBoundingClientRect();
    showTip(element.dataset.tip, left, bottom);
  }));
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { untell(); return hideTip(); }
  const step = STEPS[event.key];
  if (!step || !event.target.matches?.(".scroll")) return;
  const all = $$("[data-tip]", event.target).filter((one) => one.getClientRects().length);
  if (!all.length) return;
  event.preventDefault();
  const place = all.indexOf(told);
  tell(all[place < 0 ? (step > 0 ? 0 : all.length - 1) : (place + step + all.length) % all.length]);
});
document.addEventListener("focusout", () => { untell(); hideTip(); });

// Tables: numbers by value, names by their letters, what is undefined always last; the first
// column by its own order.
const valueOf = (row, column) => {
  const text = row.cells[column].dataset.value;
  if (text === "" || text === undefined) return null;
  return isNaN(text) ? text : Number(text);
};
const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const sortBy = (table, column) => {
  const head = $$("thead th", table);
  const rows = $$("tbody tr", table).map((row) => [valueOf(row, column), row]);
  const names = rows.some(([value]) => typeof value === "string");
  if (names) for (const pair of rows) if (pair[0] !== null) pair[0] = String(pair[0]);
  const first = column === 0 || names ? "ascending" : "descending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head[column].getAttribute("aria-sort") === first ? other : first;
  for (const cell of head) cell.removeAttribute("aria-sort");
  head[column].setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  rows.sort(([a], [b]) => (a === null ? (b === null ? 0 : 1) : b === null ? -1 : sign * compare(a, b)));
  $("tbody", table).append(...rows.map(([, row]) => row));
};
for (const table of $$("table.sortable")) {
  $$("thead th", table).forEach((cell, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    button.addEventListener("click", () => sortBy(table, column));
    cell.append(button);
  });
}
const statistic = $("#statistic");
const showStatistic = () => {
  for (const figure of $$(".statistic")) figure.hidden = figure.dataset.statistic !== statistic.value;
};
if (statistic) {
  statistic.addEventListener("change", showStatistic);
  showStatistic();
}
$("#all-targets")?.addEventListener("change", (event) => {
  for (const table of $$("table.sortable")) table.classList.toggle("everything", event.target.checked);
});

// Rows by name or family, in all tables alike.
$("#filter")?.addEventListener("input", (event) => {
  const words = event.target.value.trim().toLowerCase().split(/\s+/);
  for (const row of $$("table.sortable tbody tr")) {
    const text = `${row.cells[0].title} ${row.dataset.family ?? ""}`.toLowerCase();
    row.classList.toggle("filtered", !words.every((word) => text.includes(word)));
  }
});

for (const button of $$("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.innerText);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: press Ctrl-C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}
