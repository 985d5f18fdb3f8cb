// Without this the page is whole: tables stay in their first order and details open by hand.
"use strict";

// A cell's key is a number or a text; cells without one (a dash) come last in either direction.
function compare(first, second, direction) {
  if (first === null || second === null) return (first === null) - (second === null);
  const numeric = first !== "" && second !== "" && !isNaN(first) && !isNaN(second);
  const order = numeric ? Number(first) - Number(second) : first.localeCompare(second);
  return order * direction;
}

function sortBy(table, heading) {
  const direction = heading.getAttribute("aria-sort") === (heading.classList.contains("n") ? "descending" : "ascending") ? "again" : "first";
  const descending = heading.classList.contains("n") === (direction === "first");
  for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const column = heading.cellIndex;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows).map((row) => [row.cells[column].getAttribute("data-key"), row]);
  rows.sort((a, b) => compare(a[0], b[0], descending ? -1 : 1));
  body.append(...rows.map((pair) => pair[1]));
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const heading of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sortBy(table, heading));
  }
}

// Print shows everything, and leaves the page as it was.
let opened = [];
addEventListener("beforeprint", () => {
  opened = Array.from(document.querySelectorAll("details:not([open])"));
  for (const details of opened) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of opened) details.open = false;
});
