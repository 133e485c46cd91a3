// Scene 2: MAML on sinusoids. Drag the points; three starts follow, step by step, in the page.

import { $, axes, element, path, placeIn, scales, svg } from "./dom.js";
import { adaptCurve, curveAt } from "./learners.js";
import { t } from "./strings.js";
import { networkOf } from "./weights.js";

const BOX = { x0: -5, x1: 5, y0: -6, y1: 6 };
const WIDTH = 380;
const HEIGHT = 330;
const SCALE = scales(BOX, WIDTH, HEIGHT, 26);
const STARTS = { maml: "var(--blue)", pretrained: "var(--orange)", random: "var(--pink)" };
const GRID = Array.from({ length: 201 }, (_, i) => -5 + i / 20);

let starts;
let rates;
let task = null;  // { amplitude, phase } of the true curve, or null
let points = [];  // [x, y]
let plots = {};
const settings = { steps: 1, rate: 0.01, own: false, truth: false };

export function mount(weights) {
  starts = Object.fromEntries(Object.keys(STARTS).map((name) => [name, networkOf(weights.arrays, `sinusoids.${name}`)]));
  rates = weights.settings.sinusoid_rates;
  build();
  $("curve-steps").oninput = () => set({ steps: Number($("curve-steps").value) });
  $("curve-rate").oninput = () => set({ rate: Number((10 ** $("curve-rate").value).toPrecision(2)) });
  $("curve-own").onchange = () => set({ own: $("curve-own").checked });
  $("curve-truth").onchange = () => set({ truth: $("curve-truth").checked });
  $("curve-new").onclick = newTask;
  $("curve-add").onclick = () => addPoint([0, 0], true);
  $("curve-empty").onclick = () => {
    points = [];
    task = null;
    render();
  };
  newTask();
  return { render, shown: render };
}

function set(change) {
  Object.assign(settings, change);
  render();
}

/** A sine curve as the lesson draws them, and ten of its points. */
function newTask() {
  task = { amplitude: 0.1 + 4.9 * Math.random(), phase: Math.PI * Math.random() };
  points = Array.from({ length: 10 }, () => -5 + 10 * Math.random()).map((x) => [x, trueY(x)]);
  render();
}

const trueY = (x) => task.amplitude * Math.sin(x - task.phase);

function addPoint(point, focus = false) {
  points.push(point);
  render();
  if (focus) plots.maml.handles.lastChild.focus();
}

// ---------------------------------------------------------------- the three drawings

function build() {
  $("curves").replaceChildren(...Object.keys(STARTS).map((name) => {
    const plot = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group" });
    axes(plot, SCALE, BOX, [-4, -2, 0, 2, 4], [-4, -2, 0, 2, 4]);
    const parts = { plot, title: element("h3"), error: element("p", { className: "error" }),
      truth: svg("path", { fill: "none", stroke: "var(--ink)", "stroke-width": 1.5, "stroke-dasharray": "1 4" }),
      before: svg("path", { fill: "none", stroke: STARTS[name], "stroke-width": 1.5, "stroke-dasharray": "6 4", opacity: 0.75 }),
      after: svg("path", { fill: "none", stroke: STARTS[name], "stroke-width": 3, class: "after" }),
      handles: svg("g") };
    plot.append(parts.truth, parts.before, parts.after, parts.handles);
    listen(parts);
    plots[name] = parts;
    return element("div", {}, parts.title, plot, parts.error);
  }));
}

const clip = ([x, y]) => [Math.min(BOX.x1, Math.max(BOX.x0, x)), Math.min(BOX.y1, Math.max(BOX.y0, y))];

function listen({ plot, handles }) {
  let dragged = null;
  let moved = false;  // the click that ends a drag adds no point
  const where = (event) => {
    const [x, y] = placeIn(plot, event);
    return clip([SCALE.toX(x), SCALE.toY(y)]);
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const handle = event.target.closest(".point");
    moved = Boolean(handle);
    if (!handle) return;
    dragged = Number(handle.dataset.i);
    plot.setPointerCapture(event.pointerId);
    handle.focus({ focusVisible: false });
    event.preventDefault();
  });
  plot.addEventListener("click", (event) => {
    if (!moved) addPoint(where(event));
  });
  plot.addEventListener("pointermove", (event) => {
    if (dragged === null || dragged >= points.length) return;
    points[dragged] = where(event);
    render();
  });
  for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, () => (dragged = null));
  plot.addEventListener("dblclick", (event) => {
    const [x, y] = placeIn(plot, event);
    const near = points.map(([px, py]) => Math.hypot(SCALE.x(px) - x, SCALE.y(py) - y));
    // the two clicks of a double click on an empty place have put points there: these go again, too
    points = points.filter((_, i) => near[i] > 12);
    render();
  });
  plot.addEventListener("keydown", (event) => {
    if (!event.target.matches(".point")) return;
    const i = Number(event.target.dataset.i);
    const move = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (move) points[i] = clip(points[i].map((value, k) => value + move[k] * (event.shiftKey ? 10 : 1)));
    else if (event.key === "Delete" || event.key === "Backspace") points.splice(i, 1);
    else return;
    event.preventDefault();
    render();
    handles.children[Math.min(i, points.length - 1)]?.focus();
  });
}

// ---------------------------------------------------------------- what is shown

function render() {
  $("curve-steps-out").textContent = settings.steps;
  $("curve-rate-out").textContent = settings.own ? "—" : settings.rate;
  $("curve-rate").disabled = settings.own;
  $("curve-truth").disabled = !task;
  for (const name of Object.keys(STARTS)) renderStart(name, plots[name]);
}

function renderStart(name, parts) {
  const rate = settings.own ? rates[name] : settings.rate;
  const [x, y] = [points.map((p) => p[0]), points.map((p) => p[1])];
  const { params, losses } = points.length ? adaptCurve(starts[name], x, y, settings.steps, rate)
    : { params: starts[name], losses: [] };
  const after = curveAt(params, GRID);
  parts.title.textContent = t(`curve.${name}`);
  parts.plot.setAttribute("aria-label", t("curve.plot", t(`curve.${name}`)));
  parts.before.setAttribute("d", path(zip(curveAt(starts[name], GRID)), SCALE));
  parts.after.setAttribute("d", path(zip(after), SCALE));
  parts.truth.setAttribute("d", task && settings.truth ? path(zip(GRID.map(trueY)), SCALE) : "");
  renderHandles(parts.handles);
  const last = losses.at(-1);
  const lines = [];
  if (losses.length) {
    lines.push(Number.isFinite(last) && last < 1e6
      ? t("curve.errors", losses[0].toFixed(2), last.toFixed(2), settings.steps, rate) : t("curve.diverged"));
  }
  if (task && settings.truth) {
    const error = after.reduce((sum, value, i) => sum + (value - trueY(GRID[i])) ** 2, 0) / GRID.length;
    lines.push(t("curve.truthError", Number.isFinite(error) && error < 1e6 ? error.toFixed(2) : "∞"));
  }
  parts.error.textContent = lines.join("; ");
  parts.error.dataset.error = last ?? "";
}

const zip = (values) => GRID.map((x, i) => [x, values[i]]);

/** One circle for each point; they are kept while their number stays, so that the one with the focus keeps it. */
function renderHandles(group) {
  while (group.children.length > points.length) group.lastChild.remove();
  while (group.children.length < points.length) {
    group.append(svg("circle", { class: "point", r: 7, tabindex: 0, role: "button", fill: "var(--ink)", 
      "data-i": group.children.length }));
  }
  points.forEach(([x, y], i) => {
    group.children[i].setAttribute("cx", SCALE.x(x));
    group.children[i].setAttribute("cy", SCALE.y(y));
    group.children[i].setAttribute("aria-label", t("curve.point", i + 1, x.toFixed(1), y.toFixed(1)));
  });
}
