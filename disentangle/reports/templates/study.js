"use strict";
document.documentElement.classList.add("script");

function startTable(table) {
  const scores = table.tHead.querySelectorAll("[data-column]"); // may be in two rows
  const heads = scores.length ? [...scores] : [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];

  function sortKey(row, column) {
    const cell = row.cells[column];
    const key = cell.dataset.sort;
    const text = cell.textContent.trim();
    if (key === "last") return "";
    return key ? Number(key) : text === "n/a" ? "" : text;
  }

  function compare(a, b, sign) {
    if (a === "" || b === "") return (a === "") - (b === "");
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }

  heads.forEach((head, i) => {
    const column = Number(head.dataset.column ?? i);
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const now = before === first ? second : first;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", now);
      const sign = now === "ascending" ? 1 : -1;
      const rows = [...body.rows].map((row) => [sortKey(row, column), row]);
      rows.sort((a, b) => compare(a[0], b[0], sign));
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function startFilter(input) {
  const rows = [...document.getElementById(input.dataset.table).tBodies[0].rows];
  const status = input.parentElement.querySelector("[role=status]");
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    status.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
}

document.querySelectorAll("table.sortable").forEach(startTable);
document.querySelectorAll("input[type=search]").forEach(startFilter);
