"use strict";
// Filters of the ledger, links that set them, and details that open in print.
(() => {
  const form = document.getElementById("filter");
  const all = selector => [...document.querySelectorAll(selector)];
  for (const [event, open] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(event, () => all("details").forEach(d => { d.open = open; }));
  }
  if (!form) return;
  const part = name => document.getElementById("filter-" + name);
  const rows = all(".ledger tr[data-id]").map(row => {
    const article = document.getElementById("claim-" + row.dataset.id);
    return { row, article, part: row.parentElement.dataset.part, text: article.textContent.toLowerCase() };
  });
  const apply = () => {
    const words = part("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [status, origin, place] = ["status", "origin", "part"].map(name => part(name).value);
    let shown = 0;
    const parts = new Set();
    for (const c of rows) {
      const on = (!status || c.row.dataset.status === status) && (!origin || c.row.dataset.origin === origin)
        && (!place || c.part === place) && words.every(word => c.text.includes(word));
      c.row.hidden = c.article.hidden = !on;
      if (on) { shown += 1; parts.add(c.part); }
    }
    for (const box of all("#claims [data-part]")) box.hidden = !parts.has(box.dataset.part);
    part("count").textContent = shown === rows.length ? `${shown} claims` : `${shown} of ${rows.length} claims`;
  };
  const set = (status = "", origin = "") => {
    form.reset();
    part("status").value = status;
    part("origin").value = origin;
    apply();
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  for (const link of all("a[data-status]")) {
    link.addEventListener("click", () => set(link.dataset.status, link.dataset.origin));
  }
  const reveal = () => { // a link to a claim: opens it, and ends a filter that hides it
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target || !target.closest("#claims")) return;
    target.querySelectorAll("article > details").forEach(d => { d.open = true; });
    if (target.closest("[hidden]")) {
      set();
      target.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", reveal);
  form.hidden = false;
  apply();
  reveal();
})();
