// Each drawing with readings shows the one nearest to the pointer, and steps through them by arrow keys.
for (const chart of document.querySelectorAll(".chart[data-readings]")) {
  const readings = JSON.parse(chart.dataset.readings);
  const said = chart.querySelector("output"), plots = chart.querySelector(".plots");
  if (!readings.length) continue;
  const cursors = chart.querySelectorAll("line.cursor"), plot = chart.querySelector(".plot > svg");
  let shown = -1;
  const show = index => {
    shown = Math.max(-1, Math.min(readings.length - 1, index));
    const [at, text] = readings[shown] ?? [0, said.dataset.hint];
    said.textContent = text;
    said.classList.toggle("hint", shown < 0);
    for (const cursor of cursors) {
      cursor.setAttribute("x1", `${at}%`);
      cursor.setAttribute("x2", `${at}%`);
      cursor.style.visibility = shown < 0 ? "hidden" : "visible";
    }
  };
  const point = event => {
    const box = plot.getBoundingClientRect(), at = 100 * (event.clientX - box.left) / box.width;
    const far = readings.map(reading => Math.abs(reading[0] - at));
    show(far.indexOf(Math.min(...far)));
  };
  plots.addEventListener("pointermove", point);
  plots.addEventListener("pointerdown", point);
  plots.addEventListener("pointerleave", event => event.pointerType === "mouse" && show(-1));
  plots.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") show(-1);
    else if (step) { event.preventDefault(); show(Math.max(0, shown + step)); }
  });
  show(-1);
}
