function startColumns(menu) {
  const table = document.getElementById(menu.dataset.table);
  const boxes = [...menu.querySelectorAll("input")];
  const status = menu.querySelector("[role=status]");

  function show(box) {
    const start = Number(box.dataset.start), end = start + Number(box.dataset.count);
    const group = table.tHead.querySelector(`[data-group="${start}"]`);
    if (group) group.hidden = !box.checked;
    for (let column = start; column < end; column++) {
      table.tHead.querySelector(`[data-column="${column}"]`).hidden = !box.checked;
      for (const row of table.tBodies[0].rows) row.cells[column].hidden = !box.checked;
    }
  }

  function changed(some) {
    some.forEach(show);
    const hidden = boxes.filter((box) => !box.checked).reduce((sum, box) => sum + Number(box.dataset.count), 0);
    status.textContent = hidden ? `${hidden} hidden` : "";
    table.dispatchEvent(new Event("columns"));
  }

  menu.addEventListener("change", (event) => changed([event.target]));
  for (const button of menu.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      for (const box of boxes) box.checked = button.value === "all";
      changed(boxes);
    });
  }
}

document.querySelectorAll("details.columns").forEach(startColumns);
