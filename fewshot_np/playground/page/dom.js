// Small helpers for building the page.

export const $ = (id) => document.getElementById(id);

// Okabe-Ito, as in the figures of the course; the number beside it says the same without colour
export const COLOURS = ["blue", "orange", "green", "pink", "sky", "red", "yellow", "black"].map((name) => `var(--${name})`);

/** element("button", { className: "main", onclick }, ...children) */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function svg(tag, attributes = {}, text = null) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return node;
}

/** Scales between numbers and the places of a drawing: box = { x0, x1, y0, y1 } in numbers. */
export function scales(box, width, height, margin = 30) {
  const sx = (width - 2 * margin) / (box.x1 - box.x0);
  const sy = (height - 2 * margin) / (box.y1 - box.y0);
  return {
    x: (value) => margin + (value - box.x0) * sx,
    y: (value) => height - margin - (value - box.y0) * sy,
    toX: (place) => box.x0 + (place - margin) / sx,
    toY: (place) => box.y0 + (height - margin - place) / sy,
  };
}

/** The path of a curve through points; what leaves the box by far is cut, and NaN interrupts it. */
export function path(points, scale) {
  let pen = "M";
  return points.map(([x, y]) => {
    if (!Number.isFinite(y)) {
      pen = "M";
      return "";
    }
    const part = `${pen}${scale.x(x).toFixed(2)} ${Math.max(-2000, Math.min(3000, scale.y(y))).toFixed(2)}`;
    pen = "L";
    return part;
  }).join("");
}

/** Axes with ticks at these numbers. */
export function axes(plot, scale, box, xTicks, yTicks, names = []) {
  for (const x of xTicks) {
    plot.append(svg("line", { class: "axis", x1: scale.x(x), x2: scale.x(x), y1: scale.y(box.y0), y2: scale.y(box.y1) }),
      svg("text", { class: "tick", x: scale.x(x), y: scale.y(box.y0) + 15, "text-anchor": "middle" }, x));
  }
  for (const y of yTicks) {
    plot.append(svg("line", { class: "axis", x1: scale.x(box.x0), x2: scale.x(box.x1), y1: scale.y(y), y2: scale.y(y) }),
      svg("text", { class: "tick", x: scale.x(box.x0) - 4, y: scale.y(y) + 4, "text-anchor": "end" }, y));
  }
  if (names[0]) plot.append(svg("text", { class: "tick", x: scale.x(box.x1), y: scale.y(box.y0) - 5, "text-anchor": "end" }, names[0]));
  if (names[1]) plot.append(svg("text", { class: "tick", x: scale.x(box.x0) + 5, y: scale.y(box.y1) + 12 }, names[1]));
}

/** Where in an SVG's own coordinates a pointer is. */
export function placeIn(plot, event) {
  const box = plot.getBoundingClientRect();
  const view = plot.viewBox.baseVal;
  return [((event.clientX - box.left) / box.width) * view.width, ((event.clientY - box.top) / box.height) * view.height];
}
