// Values under the pointer, a closer look at a part of the time, a way to find a metric, everything open on paper.
// The page is whole without this: nothing is shown that is not in it already.
"use strict";
(() => {
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000];
  const SIDES = ["baseline", "canary"];
  const charts = [];

  const make = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.append(element);
    return element;
  };
  const clock = (seconds, first, last) => new Date(seconds * 1000).toISOString().slice(first, last);
  const digits = (value) => value.toLocaleString("en", { maximumSignificantDigits: Math.abs(value) >= 1000 ? 6 : 4 });

  // Every chart shows the same time: [from, to] in unix seconds, or all of it.
  function show(from, to) {
    for (const chart of charts) chart.show(from, to);
  }

  function button(text, label, act) {
    const found = document.createElement("button");
    found.type = "button";
    found.textContent = text;
    found.setAttribute("aria-label", label);
    found.title = label;
    found.addEventListener("click", act);
    return found;
  }

  function chart(svg) {
    const { samples, unit } = svg.dataset;
    const [from, to, low, high, factor] = ["from", "to", "low", "high", "factor"].map((name) => Number(svg.dataset[name]));
    const plot = svg.querySelector(".plot");
    const box = Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, plot[name].baseVal.value]));
    const rows = samples.split(" ").map((row) => {
      const [t, baseline, canary] = row.split(",");
      return { t: from + Number(t), baseline: baseline ? Number(baseline) : null, canary: canary ? Number(canary) : null };
    });
    const ticks = svg.querySelector(".times");
    const whole = [...ticks.childNodes];
    const names = [...svg.querySelectorAll(".name")];
    const view = { from, to };
    const least = Math.max((to - from) / 100, 1);
    let at = -1;

    const cross = make("line", { class: "cross", y1: box.y, y2: box.y + box.height, visibility: "hidden" }, svg);
    const chosen = make("rect", { class: "chosen", y: box.y, height: box.height, visibility: "hidden" }, svg);
    const dots = Object.fromEntries(SIDES.map((side) => [side, make("circle", { class: "mark " + side, r: 4.5, visibility: "hidden" }, svg)]));
    const bar = document.createElement("div");
    const readout = document.createElement("p");
    bar.className = "tools";
    readout.className = "readout";
    readout.setAttribute("aria-live", "polite");
    const middle = () => (at < 0 ? (view.from + view.to) / 2 : rows[at].t);
    const zoom = (times) => {
      const width = (view.to - view.from) * times;
      const start = Math.min(Math.max(middle() - width / 2, from), Math.max(to - width, from));
      show(start, start + width);
    };
    bar.append(
      readout,
      button("+", "Closer: a shorter time", () => zoom(0.5)),
      button("−", "Farther: a longer time", () => zoom(2)),
      button("All", "The whole window", () => show()),
    );
    svg.before(bar);
    svg.tabIndex = 0;
    svg.setAttribute("role", "application");
    svg.setAttribute("aria-roledescription", "time series");
    const hint = "Point or ← → for values, drag or + − to zoom";
    readout.textContent = hint;

    const place = (t) => box.x + (box.width * (t - view.from)) / (view.to - view.from);
    const height = (value) => box.y + box.height * (1 - (value - low) / (high - low));
    const timeAt = (x) => view.from + ((x - box.x) / box.width) * (view.to - view.from);
    const pointer = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return Math.min(Math.max(point.x, box.x), box.x + box.width);
    };

    function nearest(t) {
      let first = 0;
      let last = rows.length - 1;
      while (last - first > 1) {
        const half = (first + last) >> 1;
        if (rows[half].t < t) first = half;
        else last = half;
      }
      return Math.abs(rows[first].t - t) <= Math.abs(rows[last].t - t) ? first : last;
    }

    function mark(index) {
      at = index;
      const row = rows[index];
      const visible = row && row.t >= view.from - 1e-6 && row.t <= view.to + 1e-6;
      cross.setAttribute("visibility", visible ? "visible" : "hidden");
      for (const side of SIDES) dots[side].setAttribute("visibility", visible && row[side] !== null ? "visible" : "hidden");
      if (!visible) {
        readout.textContent = hint;
        return;
      }
      for (const name of ["x1", "x2"]) cross.setAttribute(name, place(row.t));
      const told = SIDES.map((side) => {
        if (row[side] === null) return side + " –";
        dots[side].setAttribute("cx", place(row.t));
        dots[side].setAttribute("cy", height(row[side]));
        return side + " " + digits(row[side] * factor) + (unit === "%" ? "%" : unit ? " " + unit : "");
      });
      if (row.baseline && row.canary !== null) {
        const change = (row.canary / row.baseline - 1) * 100 * Math.sign(row.baseline);
        told.push((change > 0 ? "+" : "") + change.toFixed(Math.abs(change) < 10 ? 1 : 0) + "%");
      }
      readout.textContent = clock(row.t, 11, 19) + "  " + told.join("  ");
    }

    function drawTicks() {
      if (view.from === from && view.to === to) {
        ticks.replaceChildren(...whole);
        return;
      }
      const length = view.to - view.from;
      const step = STEPS.find((one) => length / one <= 6) || STEPS[STEPS.length - 1];
      const [first, last] = step < 60 ? [11, 19] : length < 86400 ? [11, 16] : step < 86400 ? [5, 16] : [0, 10];
      ticks.replaceChildren();
      for (let t = Math.ceil(view.from / step) * step; t <= view.to; t += step) {
        const x = place(t);
        const bottom = box.y + box.height;
        make("line", { class: "grid", x1: x, x2: x, y1: bottom, y2: bottom + 5 }, ticks);
        make("text", { class: "tick", x, y: bottom + 20, "text-anchor": x > box.x + box.width - 20 ? "end" : "middle" }, ticks).textContent = clock(t, first, last).replace("T", " ");
      }
    }

    const found = {
      show(start = from, end = to) {
        const width = Math.max(end - start, least);
        view.from = Math.min(Math.max(start, from), Math.max(to - width, from));
        view.to = Math.min(view.from + width, to);
        const x = ((view.from - from) / (to - from)) * box.width;
        plot.setAttribute("viewBox", `${x} 0 ${((view.to - view.from) / (to - from)) * box.width} ${box.height}`);
        for (const name of names) {
          const t = Number(name.dataset.at);
          name.setAttribute("x", place(t));
          name.setAttribute("visibility", t >= view.from && t <= view.to ? "visible" : "hidden");
        }
        drawTicks();
        mark(at);
      },
    };
    charts.push(found);

    let began = null;
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      began = pointer(event);
      svg.setPointerCapture(event.pointerId);
      mark(nearest(timeAt(began)));
    });
    svg.addEventListener("pointermove", (event) => {
      const x = pointer(event);
      mark(nearest(timeAt(x)));
      if (began === null) return;
      chosen.setAttribute("visibility", "visible");
      chosen.setAttribute("x", Math.min(began, x));
      chosen.setAttribute("width", Math.abs(x - began));
    });
    const drop = (event, take) => {
      chosen.setAttribute("visibility", "hidden");
      if (began === null) return;
      const ends = [began, pointer(event)].sort((one, other) => one - other);
      began = null;
      if (take && ends[1] - ends[0] > 8) show(timeAt(ends[0]), timeAt(ends[1]));
    };
    svg.addEventListener("pointerup", (event) => drop(event, true));
    svg.addEventListener("pointercancel", (event) => drop(event, false));
    svg.addEventListener("pointerleave", () => began === null && document.activeElement !== svg && mark(-1));
    svg.addEventListener("dblclick", () => show());
    svg.addEventListener("focus", () => at < 0 && svg.matches(":focus-visible") && mark(nearest(view.to)));
    svg.addEventListener("blur", () => mark(-1));
    svg.addEventListener("keydown", (event) => {
      const jump = event.shiftKey ? 10 : 1;
      const move = { ArrowLeft: -jump, ArrowRight: jump }[event.key];
      if (move !== undefined) mark(Math.min(Math.max((at < 0 ? nearest(view.to) : at) + move, nearest(view.from)), nearest(view.to)));
      else if (event.key === "Home") mark(nearest(view.from));
      else if (event.key === "End") mark(nearest(view.to));
      else if (event.key === "+" || event.key === "=") zoom(0.5);
      else if (event.key === "-") zoom(2);
      else if (event.key === "Escape" || event.key === "0") show();
      else return;
      event.preventDefault();
    });
  }

  for (const svg of document.querySelectorAll("svg.series")) chart(svg);

  const find = document.querySelector(".find");
  if (find) {
    const input = find.querySelector("input");
    const named = [...document.querySelectorAll(".metrics tr[data-name], details.metric")];
    const said = find.querySelector("[role=status]");
    find.hidden = false;
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      for (const one of named) one.hidden = !one.dataset.name.toLowerCase().includes(wanted);
      const rows = named.filter((one) => one.localName === "tr");
      said.textContent = wanted ? `${rows.filter((one) => !one.hidden).length} of ${rows.length}` : "";
    });
  }

  const metrics = [...document.querySelectorAll("details.metric")];
  const opener = document.querySelector("[data-do=open]");
  if (opener && metrics.length > 1) {
    opener.hidden = false;
    const label = () => (opener.textContent = metrics.every((one) => one.open) ? "Close all" : "Open all");
    label();
    opener.addEventListener("click", () => {
      const open = !metrics.every((one) => one.open);
      for (const one of metrics) one.open = open;
      label();
    });
    for (const one of metrics) one.addEventListener("toggle", label);
  }

  let closed = [];
  addEventListener("beforeprint", () => {
    show();
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const one of closed) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });
})();
