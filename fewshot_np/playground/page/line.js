// Scene 4: the meta-loss over the start of two tasks with one parameter.

import { $, axes, element, path, placeIn, scales, svg } from "./dom.js";
import { adapted, ends, metaLoss, pulls, TASKS } from "./lines.js";
import { t } from "./strings.js";

const METHODS = { maml: ["var(--blue)", 0], first: ["var(--orange)", 1], reptile: ["var(--green)", 2], pretrained: ["var(--pink)", 3] };
const SHAPES = [  // a mark of its own for each method
  "M0 -7L7 6L-7 6Z", "M-6 -6H6V6H-6Z", "M0 -8L8 0L0 8L-8 0Z", "M-7 0A7 7 0 1 0 7 0A7 7 0 1 0 -7 0Z"];
const BOX = { x0: -2, x1: 3, y0: 0, y1: 60 };
const SCALE = scales(BOX, 520, 360, 42);
const PLANE = { x0: 0, x1: 4.5, y0: -5, y1: 9 };
const PLANE_SCALE = scales(PLANE, 520, 360, 34);
const COLOURS = ["var(--blue)", "var(--red)"];
const STARTS = Array.from({ length: 251 }, (_, i) => -2 + i / 50);

const state = { start: 1, rate: 0.05, steps: 1 };

export function mount() {
  for (const name of Object.keys(state)) {
    $(`line-${name}`).oninput = () => {
      state[name] = Number($(`line-${name}`).value);
      render();
    };
  }
  const plot = $("line-loss");
  let dragging = false;
  const move = (event) => {
    state.start = within(Number(SCALE.toX(placeIn(plot, event)[0]).toFixed(2)));
    render();
  };
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    dragging = true;
    plot.setPointerCapture(event.pointerId);
    move(event);
  });
  plot.addEventListener("pointermove", (event) => dragging && move(event));
  for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, () => (dragging = false));
  plot.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.05, ArrowDown: -0.05, ArrowRight: 0.05, ArrowUp: 0.05 }[event.key];
    if (!by) return;
    event.preventDefault();
    state.start = within(Number((state.start + by).toFixed(2)));
    render();
    plot.querySelector(".handle").focus();
  });
  render();
  return { render };
}

const within = (value) => Math.min(BOX.x1, Math.max(BOX.x0, value));

function render() {
  for (const name of Object.keys(state)) {
    $(`line-${name}`).value = state[name];
    $(`line-${name}-out`).textContent = state[name];
  }
  renderLoss();
  renderTasks();
  renderTable();
}

function renderLoss() {
  const { start, rate, steps } = state;
  const plot = $("line-loss");
  const focused = plot.contains(document.activeElement);
  plot.replaceChildren();
  axes(plot, SCALE, BOX, [-2, -1, 0, 1, 2, 3], [0, 20, 40, 60], [t("line.axisSlope"), t("line.axisLoss")]);
  const clipped = (f) => path(STARTS.map((s) => [s, f(s) <= BOX.y1 ? f(s) : NaN]), SCALE);
  plot.append(
    svg("path", { d: clipped((s) => metaLoss(s, rate, 0)), fill: "none", stroke: "var(--soft)", "stroke-width": 2, "stroke-dasharray": "6 4" }),
    svg("path", { d: clipped((s) => metaLoss(s, rate, steps)), fill: "none", stroke: "var(--ink)", "stroke-width": 2.5 }));
  const [x, y] = [SCALE.x(start), SCALE.y(Math.min(BOX.y1, metaLoss(start, rate, steps)))];
  plot.append(svg("line", { x1: x, x2: x, y1: SCALE.y(0), y2: SCALE.y(BOX.y1), stroke: "var(--soft)", "stroke-dasharray": "2 4" }));
  const pull = pulls(start, rate, steps);
  for (const [name, [colour, row]] of Object.entries(METHODS)) {
    if (name !== "pretrained") plot.append(...arrow(x, SCALE.y(56) + row * 19, lengthOf(name, pull[name]), colour, t(`line.${name}`)));
    const end = ends(rate, steps)[name];
    if (end !== null && end >= BOX.x0 && end <= BOX.x1) {
      plot.append(svg("path", { d: SHAPES[row], transform: `translate(${SCALE.x(end)} ${SCALE.y(metaLoss(end, rate, steps))})`, fill: colour,
        stroke: "var(--paper)", "stroke-width": 1.5, "data-method": name }));
    }
  }
  const handle = svg("circle", { class: "handle", r: 10, cx: x, cy: y, tabindex: 0, role: "slider", fill: "var(--ink)", stroke: "var(--paper)",
    "stroke-width": 2, "aria-label": t("line.startLabel"), "aria-valuemin": BOX.x0, "aria-valuemax": BOX.x1, "aria-valuenow": start });
  plot.append(handle);
  if (focused) handle.focus();
}

/** Pixels of an arrow: gradients are 20 to the unit of a slope, Reptile's is a difference of slopes itself. */
function lengthOf(name, pull) {
  const length = (name === "reptile" ? pull * 5 : pull / 4) * 22;
  return Math.max(-190, Math.min(190, length));
}

function arrow(x, y, length, colour, name) {
  const tip = x + length;
  const back = tip - Math.sign(length) * Math.min(9, Math.abs(length));
  const left = length < 0;
  return [svg("line", { x1: x, x2: back, y1: y, y2: y, stroke: colour, "stroke-width": 4 }),
    svg("path", { d: `M${tip} ${y}L${back} ${y - 6}L${back} ${y + 6}Z`, fill: colour }),
    svg("text", { class: "tick", x: left ? x + 6 : x - 6, y: y + 4, "text-anchor": left ? "start" : "end" }, name)];
}

function renderTasks() {
  const { start, rate, steps } = state;
  const plot = $("line-tasks");
  plot.replaceChildren();
  axes(plot, PLANE_SCALE, PLANE, [0, 1, 2, 3, 4], [-4, 0, 4, 8]);
  const ray = (slope, attributes) => {  // from the origin to the edge of the plane
    const x = Math.min(PLANE.x1, slope > 0 ? PLANE.y1 / slope : slope < 0 ? PLANE.y0 / slope : Infinity);
    return svg("line", { x1: PLANE_SCALE.x(0), y1: PLANE_SCALE.y(0), x2: PLANE_SCALE.x(x), y2: PLANE_SCALE.y(slope * x), ...attributes });
  };
  plot.append(ray(start, { stroke: "var(--soft)", "stroke-width": 3 }));
  adapted(start, rate, steps).forEach((slope, i) => {
    const task = TASKS[i];
    plot.append(ray(task.slope, { stroke: COLOURS[i], "stroke-width": 1.5, "stroke-dasharray": "2 5" }),
      ray(slope, { stroke: COLOURS[i], "stroke-width": 3 }));
    for (const [kind, xs] of [["support", task.support], ["query", task.query]]) {
      for (const x of xs) {
        plot.append(svg("circle", { r: kind === "support" ? 6 : 7, cx: PLANE_SCALE.x(x), cy: PLANE_SCALE.y(task.slope * x),
          fill: kind === "support" ? COLOURS[i] : "none", stroke: COLOURS[i], "stroke-width": 2 }));
      }
    }
    const edge = Math.min(4.2, task.slope > 0 ? 8.5 / task.slope : 4.6 / -task.slope);
    plot.append(svg("text", { x: PLANE_SCALE.x(edge) + 12, y: PLANE_SCALE.y(task.slope * edge) - 8 }, t(`line.task${"AB"[i]}`)));
  });
}

function renderTable() {
  const { start, rate, steps } = state;
  const pull = pulls(start, rate, steps);
  const end = ends(rate, steps);
  const row = (cells, tag = "td") => element("tr", {}, ...cells.map((cell) => element(tag, {}, cell)));
  $("line-table").replaceChildren(
    row([t("line.method"), t("line.pull"), t("line.end"), t("line.lossThere")], "th"),
    ...Object.entries(METHODS).map(([name, [colour]]) => {
      const swatch = element("span", { className: "swatch" });
      swatch.style.setProperty("--colour", colour);
      const cells = row([element("span", {}, swatch, t(`line.${name}`)), pull[name].toFixed(3),
        end[name] === null ? t("line.nowhere") : end[name].toFixed(2), end[name] === null ? "" : metaLoss(end[name], rate, steps).toFixed(2)]);
      cells.dataset.method = name;
      return cells;
    }));
}
