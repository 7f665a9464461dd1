"use strict";
// Two rectangles on a grid.  Conventions as in theory.rectangle: axis 1 is the row (downwards), axis 2 the
// column; cell centres fill [0, 1] (Eq. 5); half widths; angle in radians from axis 1 towards axis 2.
(() => {
  const EDGE = 1 + 1e-9; // theory.rectangle.hard_rectangle: a point on the boundary is inside
  const SIDE = 360, MARGIN = 22, LEAST = 0.01, NS = "http://www.w3.org/2000/svg";

  // ---- the definitions
  const mask = (r, height, width) => {
    const cos = Math.cos(r.angle), sin = Math.sin(r.angle), out = [];
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const d1 = i / (height - 1) - r.center[0], d2 = j / (width - 1) - r.center[1];
        const first = (cos * d1 + sin * d2) / r.half_widths[0];
        const second = (-sin * d1 + cos * d2) / r.half_widths[1];
        out.push(first * first <= EDGE && second * second <= EDGE ? 1 : -1);
      }
    }
    return out;
  };
  const rates = (a, b) => {
    let both = 0, union = 0, sum = 0;
    for (let k = 0; k < a.length; k++) {
      sum += a[k] * b[k];
      both += a[k] === 1 && b[k] === 1;
      union += a[k] === 1 || b[k] === 1;
    }
    const catching = sum / a.length;
    return { catching, missing: (1 - catching) / 2, fitting: union ? both / union : 1, both, union, sum,
      cells: a.length, a: a.filter(v => v === 1).length, b: b.filter(v => v === 1).length };
  };

  // ---- the page
  const byId = id => document.getElementById("quadrat" + (id ? "-" + id : ""));
  const presets = JSON.parse(byId("presets").textContent);
  const copy = state => JSON.parse(JSON.stringify(state));
  let state = copy(presets[0].state), said = 0;

  const element = (name, attributes, parent) => {
    const e = document.createElementNS(NS, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (parent) parent.append(e);
    return e;
  };
  const cell = () => (SIDE - 2 * MARGIN) / Math.max(state.height, state.width);
  const origin = () => [(SIDE - cell() * state.height) / 2, (SIDE - cell() * state.width) / 2];
  // unit coordinates (row, column) to the plot's (x, y), and back
  const toPlot = p => {
    const c = cell(), o = origin();
    return [o[1] + c * (p[1] * (state.width - 1) + 0.5), o[0] + c * (p[0] * (state.height - 1) + 0.5)];
  };
  const toUnit = q => {
    const c = cell(), o = origin();
    return [((q[1] - o[0]) / c - 0.5) / (state.height - 1), ((q[0] - o[1]) / c - 0.5) / (state.width - 1)];
  };
  const turned = (r, u, v) => { // a point of the rectangle's own axes, in unit coordinates
    const cos = Math.cos(r.angle), sin = Math.sin(r.angle);
    return [r.center[0] + cos * u - sin * v, r.center[1] + sin * u + cos * v];
  };
  const own = (r, p) => {
    const cos = Math.cos(r.angle), sin = Math.sin(r.angle);
    const d1 = p[0] - r.center[0], d2 = p[1] - r.center[1];
    return [cos * d1 + sin * d2, -sin * d1 + cos * d2];
  };
  const clamp = (v, low, high) => Math.min(high, Math.max(low, v));
  const tidy = r => {
    r.center = r.center.map(v => clamp(v, 0, 1));
    r.half_widths = r.half_widths.map(v => clamp(v, LEAST, 1));
    r.angle = Math.atan2(Math.sin(r.angle), Math.cos(r.angle));
  };

  const drawCells = (a, b) => {
    const box = byId("cells"), c = cell(), o = origin();
    box.replaceChildren();
    for (let k = 0; k < a.length; k++) {
      const i = Math.floor(k / state.width), j = k % state.width;
      const kind = a[k] === 1 ? (b[k] === 1 ? "both" : "a") : (b[k] === 1 ? "b" : "neither");
      const look = { x: o[1] + j * c, y: o[0] + i * c, width: c, height: c };
      if (kind === "a" || kind === "b") look.fill = `url(#quadrat-only-${kind})`;
      look.class = "cell" + (look.fill ? "" : " " + kind);
      element("rect", look, box);
    }
  };
  const drawMask = (svg, values, name) => {
    const { height, width } = state, count = values.filter(v => v === 1).length;
    svg.setAttribute("viewBox", `-0.5 -0.5 ${width + 1} ${height + 1}`);
    svg.setAttribute("aria-label", `Mask of ${name}: ${count} of ${values.length} cells are +1`);
    svg.replaceChildren();
    values.forEach((v, k) => element("rect", { x: k % width, y: Math.floor(k / width), width: 1, height: 1,
      class: v === 1 ? "on" : "off" }, svg));
  };
  const degrees = r => Math.round(r.angle * 180 / Math.PI);
  const drawShape = who => {
    const r = state[who], box = byId(who), [s1, s2] = r.half_widths, line = p => p.join(" ");
    const corners = [[-s1, -s2], [-s1, s2], [s1, s2], [s1, -s2]].map(([u, v]) => toPlot(turned(r, u, v)));
    const top = toPlot(turned(r, -s1, 0)), near = toPlot(r.center);
    const long = Math.hypot(top[0] - near[0], top[1] - near[1]) || 1;
    let knob = top.map((v, k) => v + (v - near[k]) / long * 22);
    knob = knob.map(v => clamp(v, 9, SIDE - 9));
    const grip = corners[2].map(v => clamp(v, 8, SIDE - 8));
    const name = [near[0] + (who === "a" ? -9 : 9), near[1] + 5];
    if (!box.childElementCount) {
      const parts = { casing: "polygon", body: "polygon", stem: "line", reach: "circle", knob: "circle", wide: "circle", grip: "rect",
        name: "text" };
      for (const part in parts) element(parts[part], { class: part, "data-part": part }, box);
      box.querySelector(".name").textContent = who.toUpperCase();
    }
    const put = (part, attributes) => {
      for (const key in attributes) box.querySelector("." + part).setAttribute(key, attributes[key]);
    };
    put("casing", { points: corners.map(line).join(" ") });
    put("body", { points: corners.map(line).join(" ") });
    put("stem", { x1: top[0], y1: top[1], x2: knob[0], y2: knob[1] });
    put("reach", { cx: knob[0], cy: knob[1], r: 15 });
    put("knob", { cx: knob[0], cy: knob[1], r: 6 });
    put("wide", { cx: grip[0], cy: grip[1], r: 15 });
    put("grip", { x: grip[0] - 5.5, y: grip[1] - 5.5, width: 11, height: 11 });
    put("name", { x: name[0], y: name[1] });
    box.setAttribute("aria-label", `Rectangle ${who.toUpperCase()}: centre row ${r.center[0].toFixed(2)}, `
      + `column ${r.center[1].toFixed(2)}, half sides ${s1.toFixed(2)} and ${s2.toFixed(2)}, `
      + `turned ${degrees(r)} degrees`);
  };
  const shown = { row: r => r.center[0], column: r => r.center[1], down: r => r.half_widths[0],
    across: r => r.half_widths[1], angle: r => r.angle * 180 / Math.PI };
  const change = { row: (r, v) => { r.center[0] = v; }, column: (r, v) => { r.center[1] = v; },
    down: (r, v) => { r.half_widths[0] = v; }, across: (r, v) => { r.half_widths[1] = v; },
    angle: (r, v) => { r.angle = v * Math.PI / 180; } };
  const drawSliders = () => {
    for (const input of byId().querySelectorAll("input")) {
      const { who, what } = input.dataset, value = who ? shown[what](state[who]) : state[what];
      const words = what === "angle" ? `${Math.round(value)}°` : who ? value.toFixed(2) : String(value);
      if (document.activeElement !== input || Number(input.value) !== value) input.value = value;
      input.setAttribute("aria-valuetext", words);
      input.nextElementSibling.textContent = words;
    }
  };
  const number = v => v.toFixed(4).replace("-", "\u2212");
  const draw = (quietly = false) => {
    const { height, width } = state, a = mask(state.a, height, width), b = mask(state.b, height, width);
    const found = rates(a, b), wrong = found.union - found.both, n = found.cells;
    drawCells(a, b);
    drawMask(byId("mask-a"), a, "A");
    drawMask(byId("mask-b"), b, "B");
    drawShape("a");
    drawShape("b");
    drawSliders();
    const write = (id, text) => { byId(id).textContent = text; };
    write("psi", number(found.catching));
    write("psi-why", ` (${n - wrong} agree \u2212 ${wrong} differ) / ${n}`);
    write("phi", number(found.missing));
    write("phi-why", ` ${wrong} of ${n} cells differ`);
    write("fit", number(found.fitting));
    write("fit-why", found.union ? ` ${found.both} of the ${found.union} cells in A or B` : " 0/0, read as 1");
    write("both", found.both);
    write("only-a-count", found.a - found.both);
    write("only-b-count", found.b - found.both);
    write("neither", n - found.union);
    clearTimeout(said);
    if (!quietly) {
      said = setTimeout(() => write("said", `Catching rate ${number(found.catching)}, missing rate `
        + `${number(found.missing)}, fitting rate ${number(found.fitting)}.`), 500);
    }
    return found;
  };

  // ---- mouse and touch
  const svg = byId("plot");
  const at = event => {
    const box = svg.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  };
  const inside = (r, p) => own(r, p).every((v, k) => Math.abs(v) <= r.half_widths[k]);
  const far = (r, q) => Math.hypot(...toPlot(r.center).map((v, k) => v - q[k]));
  let held = null;
  svg.addEventListener("pointerdown", event => {
    const box = event.target.closest(".shape");
    if (!box || event.button > 0) return;
    const how = { reach: "turn", knob: "turn", wide: "size", grip: "size" }[event.target.dataset.part] || "move";
    const q = at(event), p = toUnit(q);
    let who = box.id.slice(-1);
    if (how === "move" && inside(state.a, p) && inside(state.b, p)) { // both lie here: the nearer centre
      who = far(state.a, q) < far(state.b, q) ? "a" : "b";
    }
    const r = state[who];
    held = { who, how, pointer: event.pointerId, from: [p[0] - r.center[0], p[1] - r.center[1]] };
    byId(who).setPointerCapture(event.pointerId);
    byId(who).focus({ preventScroll: true });
    event.preventDefault();
  });
  // touch-action alone does not keep every browser from scrolling when a part of a drawing is dragged
  svg.addEventListener("touchstart", event => {
    if (event.target.closest(".shape")) event.preventDefault();
  }, { passive: false });
  svg.addEventListener("pointermove", event => {
    if (!held || event.pointerId !== held.pointer) return;
    const r = state[held.who], p = toUnit(at(event));
    if (held.how === "move") r.center = p.map((v, k) => v - held.from[k]);
    if (held.how === "size") r.half_widths = own(r, p).map(Math.abs);
    if (held.how === "turn") r.angle = Math.atan2(r.center[1] - p[1], r.center[0] - p[0]);
    tidy(r);
    byId("remark").textContent = "";
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, event => { if (held && event.pointerId === held.pointer) held = null; });
  }

  // ---- keyboard
  const keys = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  for (const who of ["a", "b"]) {
    byId(who).addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const r = state[who], move = keys[event.key], step = event.shiftKey ? 0.25 : 0.5; // in cells
      if (move) r.center = r.center.map((v, k) => v + move[k] * step / ([state.height, state.width][k] - 1));
      else if (event.key === "+" || event.key === "=") r.half_widths = r.half_widths.map(v => v + 0.02);
      else if (event.key === "-" || event.key === "_") r.half_widths = r.half_widths.map(v => v - 0.02);
      else if (event.key === "r" || event.key === "R") r.angle += (event.shiftKey ? -5 : 5) * Math.PI / 180;
      else return;
      event.preventDefault();
      tidy(r);
      byId("remark").textContent = "";
      draw();
    });
  }
  byId().addEventListener("input", event => {
    const { who, what } = event.target.dataset, value = Number(event.target.value);
    if (who) change[what](state[who], value);
    else state[what] = value;
    byId("remark").textContent = "";
    draw();
  });
  byId().addEventListener("click", event => {
    const chosen = presets.find(p => p.name === event.target.dataset.preset);
    if (!chosen) return;
    state = copy(chosen.state);
    byId("remark").textContent = chosen.remark;
    draw();
  });

  byId("remark").textContent = presets[0].remark;
  byId().hidden = false;
  draw(true);
  window.quadrat = { mask, rates, get: () => copy(state), set: next => { state = copy(next); return draw(); } };
})();
