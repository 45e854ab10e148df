// A click on a heading sorts its table: numbers from high to low, words from A on; a second click turns it.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const words = column === 0, first = words ? "ascending" : "descending";
    const turned = head.getAttribute("aria-sort") === first;
    const rising = words !== turned;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.key;
    const order = (a, b) => words ? key(a).localeCompare(key(b)) : key(a) - key(b);
    body.append(...[...body.rows].sort((a, b) => rising ? order(a, b) : order(b, a)));
  }));
}
// The headings, as links.
document.querySelectorAll("h2").forEach((heading, number) => {
  heading.id ||= `part${number}`;
  const link = document.createElement("a");
  link.href = `#${heading.id}`;
  link.textContent = heading.textContent;
  document.querySelector("nav")?.append(link);
});
