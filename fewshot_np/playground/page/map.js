// The map of the embeddings: the two directions in which they spread most. Its stars, the prototypes, can be dragged.

import { COLOURS, placeIn, svg } from "./dom.js";
import { keepSigns, placeOnPlane, principalPlane } from "./learners.js";
import { t } from "./strings.js";

const MIDDLE = [180, 130];
const REACH = [160, 110];
const STAR = Array.from({ length: 10 }, (_, i) => {
  const radius = i % 2 ? 5 : 12;
  return [Math.sin((i * Math.PI) / 5) * radius, -Math.cos((i * Math.PI) / 5) * radius].map((value) => value.toFixed(1)).join(" ");
}).join(" ");

let last = new Map();  // what was drawn, by key: { point, node }
let plane = null;  // { mean, axes } and most, the number at the edge
let most = 1;
let held = null;  // the number of the star in the hand

export function forgetMap() {
  last = new Map();
}

/** Draw things { key, kind, label, row } of the embedding. stay: on the plane of before, so that what was moved by hand
 * does not jump away from it. */
export function renderMap(plot, things, stay) {
  if (!things.length) {
    plot.replaceChildren();
    return;
  }
  const rows = things.map(({ row }) => row);
  if (!stay || !plane || plane.mean.length !== rows[0].length) plane = principalPlane(rows);
  let points = rows.map((row) => placeOnPlane(plane, row));
  if (!stay) {
    const kept = keepSigns(points, things.map(({ key }) => last.get(key)?.point));
    plane.axes = plane.axes.map((axis, k) => (kept.some((point, i) => point[k] !== points[i][k]) ? axis.map((value) => -value) : axis));
    points = kept;
  }
  if (held === null) most = Math.max(1e-9, ...points.flat().map(Math.abs));
  const next = new Map();
  things.forEach((thing, i) => {
    const node = last.get(thing.key)?.node ?? svg("g", { class: "mover" });
    node.replaceChildren(...mark(thing));
    if (thing.kind === "prototype") {
      for (const [name, value] of [["tabindex", 0], ["role", "button"], ["aria-label", t("draw.prototype", thing.label + 1)],
        ["data-i", thing.label], ["class", "mover handle"]]) node.setAttribute(name, value);
    }
    node.style.transform = `translate(${MIDDLE[0] + (points[i][0] / most) * REACH[0]}px, ${MIDDLE[1] - (points[i][1] / most) * REACH[1]}px)`;
    next.set(thing.key, { point: points[i], node });
  });
  last = next;
  const focused = document.activeElement;
  plot.replaceChildren(...[...next.values()].map(({ node }) => node));
  if (plot.contains(focused)) focused.focus();  // which it loses when it is put in again
}

function mark({ kind, label }) {
  const colour = label === undefined ? "var(--black)" : COLOURS[label];
  if (kind === "query") return [svg("path", { d: "M0 -10L10 0L0 10L-10 0Z", fill: colour, stroke: "var(--paper)", "stroke-width": 2 })];
  if (kind === "kept") return [svg("path", { d: "M0 -8L8 0L0 8L-8 0Z", fill: "none", stroke: colour, "stroke-width": 2 })];
  if (kind === "support") return [svg("circle", { r: 5, fill: colour, stroke: "var(--ink)", "stroke-width": 0.7 })];
  return [svg("circle", { r: 16, fill: "transparent" }), svg("polygon", { points: STAR, fill: colour, stroke: "var(--ink)" }),
    svg("text", { x: 12, y: -6 }, label + 1)];
}

/** Stars follow the hand and the arrow keys: move(i, by) gets what is to be added to prototype i in the embedding, and
 * back(i) is called for a double click or Delete. */
export function listenToMap(plot, move, back) {
  let at = null;
  /** A step on the plane, as a vector of the embedding. */
  const step = (right, up) => plane.mean.map((_, d) => most * ((right / REACH[0]) * plane.axes[0][d] + (up / REACH[1]) * plane.axes[1][d]));
  plot.addEventListener("touchstart", (event) => {  // a finger on a star does not scroll; touch-action fails in a moved group
    if (event.target.closest("[data-i]")) event.preventDefault();
  }, { passive: false });
  plot.addEventListener("pointerdown", (event) => {
    const star = event.target.closest("[data-i]");
    if (event.button !== 0 || !star) return;
    held = Number(star.dataset.i);
    at = placeIn(plot, event);
    plot.setPointerCapture(event.pointerId);
    plot.classList.add("dragging");
    star.focus({ focusVisible: false });
    event.preventDefault();
  });
  plot.addEventListener("pointermove", (event) => {
    if (held === null) return;
    const [x, y] = placeIn(plot, event);
    const by = step(x - at[0], at[1] - y);
    at = [x, y];
    move(held, by);
  });
  for (const end of ["pointerup", "pointercancel"]) plot.addEventListener(end, () => {
    held = null;
    plot.classList.remove("dragging");
  });
  plot.addEventListener("dblclick", (event) => {
    const star = event.target.closest("[data-i]");
    if (star) back(Number(star.dataset.i));
  });
  plot.addEventListener("keydown", (event) => {
    const star = event.target.closest("[data-i]");
    if (!star) return;
    const by = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, 6], ArrowDown: [0, -6] }[event.key];
    if (by) move(Number(star.dataset.i), step(...by));
    else if (event.key === "Delete" || event.key === "Backspace") back(Number(star.dataset.i));
    else return;
    event.preventDefault();
  });
}
