// Scene 1: teach signs by drawing them, draw again, and see who recognises them.

import { $, COLOURS, element } from "./dom.js";
import { paint, rasterise } from "./drawing.js";
import { means, pixels, probabilities, projectEmbed, projectProbabilities, prototypical, prototypicalFrom, siameseDistances,
  siameseEmbed } from "./learners.js";
import { askMaml } from "./maml.js";
import { forgetMap, listenToMap, renderMap } from "./map.js";
import { body, squaredDistance, stack } from "./nn.js";
import { t } from "./strings.js";
import { drawingNetworks, ownModel } from "./weights.js";

const SLOTS = 8;
const LEARNERS = ["pixels", "prototypical", "siamese", "maml"];
const FILE_FORMAT = "fewshot_np signs 1";

let networks;
const state = {
  strokes: [],
  signs: [],  // of each sign its examples, { strokes, image }
  queries: [],  // kept drawings, the newest first
  together: false,
  steps: 5,
  points: null,  // of everything asked { support, prototypes, query } in the embedding, before any dragging
  moved: [],  // of each prototype what its dragging has added to it, if anything
  score: Object.fromEntries(LEARNERS.map((name) => [name, [0, 0]])),
  answers: {},  // of each learner one for each asked drawing: { values, label }, label null for "none of these"
  note: null,  // a message that outranks the advice, [key, ...values]
  mamlProblem: null,
  milliseconds: { fast: null, maml: null },
};
let known = null;  // what follows from the signs alone
let pen = [0.5, 0.5];
let penIsDown = false;

export async function mount(weights) {
  networks = drawingNetworks(weights);
  networks.own = await ownModel();
  if (networks.own) document.querySelector("#draw .intro").append(element("strong", { id: "own-model" }));
  listen();
  render();
  return { render, shown: render };
}

// ---------------------------------------------------------------- the pad

function listen() {
  const pad = $("pad");
  let drawing = false;
  const place = (event) => {
    const box = pad.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const on = at.map((value) => Math.min(1, Math.max(0, value)));
    if (on[0] !== at[0] || on[1] !== at[1]) state.note = ["draw.off"];
    return on;
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || drawing) return;
    pad.setPointerCapture(event.pointerId);
    drawing = true;
    state.note = null;
    state.strokes.push([place(event)]);
    paintPad();
  });
  pad.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    for (const each of event.getCoalescedEvents?.() ?? []) state.strokes.at(-1).push(place(each));
    state.strokes.at(-1).push(place(event));
    paintPad();
  });
  const end = () => {
    if (!drawing) return;
    drawing = false;
    ask();
  };
  pad.addEventListener("pointerup", end);
  pad.addEventListener("pointercancel", end);
  pad.addEventListener("keydown", padKey);
  pad.addEventListener("blur", () => liftPen());
  new ResizeObserver(paintPad).observe(pad);
  document.addEventListener("keydown", key);
  $("undo").onclick = undo;
  $("clear").onclick = clear;
  $("teach").onclick = () => teach(state.signs.length);
  $("example").onclick = example;
  $("keep").onclick = keep;
  $("forget").onclick = forget;
  listenToMap($("map"), movePrototype, putBack);
  $("back").onclick = () => {
    state.moved = [];
    answerAgain();
  };
  $("save").onclick = save;
  $("load").onchange = loadFile;
  $("steps").oninput = () => {
    state.steps = Number($("steps").value);
    ask();
  };
  for (const radio of document.getElementsByName("together")) {
    radio.onchange = () => {
      state.together = radio.value === "1";
      ask();
    };
  }
}

/** The pen on the keyboard: arrow keys move it, the space bar lowers and lifts it. */
function padKey(event) {
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (move) {
    const length = event.shiftKey ? 0.01 : 0.05;
    pen = pen.map((value, k) => Math.min(1, Math.max(0, value + move[k] * length)));
    if (penIsDown) state.strokes.at(-1).push([...pen]);
  } else if (event.key === " ") {
    if (penIsDown) liftPen();
    else {
      penIsDown = true;
      state.strokes.push([[...pen]]);
    }
  } else return;
  event.preventDefault();
  paintPad();
}

function liftPen() {
  if (!penIsDown) return paintPad();
  penIsDown = false;
  ask();
}

function key(event) {
  if ($("draw").hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=range], textarea")) return;
  const digit = /^Digit([0-8])$/.exec(event.code)?.[1];
  if (digit !== undefined) {
    const slot = Number(digit) - 1;
    if (event.shiftKey) teach(slot);
    else judge(slot === -1 ? null : slot);
  } else {
    const action = { u: undo, c: clear, n: () => teach(state.signs.length), k: keep }[event.key];
    if (!action) return;
    action();
  }
  event.preventDefault();
}

function paintPad() {
  const pad = $("pad");
  const side = Math.max(1, Math.round(pad.clientWidth * (window.devicePixelRatio || 1)));
  if (pad.width !== side) pad.width = pad.height = side;
  const context = pad.getContext("2d");
  context.clearRect(0, 0, side, side);
  Object.assign(context, { lineWidth: side * 0.05, lineCap: "round", lineJoin: "round", strokeStyle: "#000" });
  for (const stroke of state.strokes) {
    context.beginPath();
    context.moveTo(stroke[0][0] * side, stroke[0][1] * side);
    for (const [x, y] of stroke.length > 1 ? stroke.slice(1) : stroke) context.lineTo(x * side, y * side);
    context.stroke();
  }
  if (document.activeElement === pad && pad.matches(":focus-visible")) {
    context.lineWidth = side * 0.006;
    context.strokeStyle = penIsDown ? "#d55e00" : "#0072b2";
    context.beginPath();
    context.arc(pen[0] * side, pen[1] * side, side * 0.035, 0, 2 * Math.PI);
    context.stroke();
  }
}

// ---------------------------------------------------------------- what the buttons do

function undo() {
  state.strokes.pop();
  penIsDown = false;
  state.note = null;
  ask();
}

function clear() {
  state.strokes = [];
  penIsDown = false;
  state.note = null;
  ask();
}

const drawn = () => ({ strokes: state.strokes, image: rasterise(state.strokes) });

function teach(slot) {
  if (!state.strokes.length || slot < 0 || slot > state.signs.length) return;
  if (slot >= SLOTS) {
    state.note = ["draw.full"];
    renderAdvice();
    return;
  }
  (state.signs[slot] ??= []).push(drawn());
  signsChanged();
  clear();
}

function signsChanged() {
  known = null;
  state.moved = [];
}

function removeExample(slot, place) {
  state.signs[slot].splice(place, 1);
  if (!state.signs[slot].length) state.signs.splice(slot, 1);
  signsChanged();
  ask();
}

const everyoneAnswered = () => LEARNERS.every((name) => state.answers[name] || (name === "maml" && state.mamlProblem));

/** The person says which sign it was, or null for none of those taught: who was right? */
function judge(label) {
  if (!state.strokes.length || !everyoneAnswered() || (label !== null && label >= state.signs.length)) return;
  for (const name of LEARNERS) {
    const answer = state.answers[name]?.[0];
    if (!answer) continue;
    state.score[name][0] += answer.label === label ? 1 : 0;
    state.score[name][1] += 1;
  }
  clear();
}

function keep() {
  if (!state.strokes.length) return;
  state.queries.unshift(drawn());
  state.queries.length = Math.min(state.queries.length, 12);
  clear();
}

function forget() {
  state.signs = [];
  state.queries = [];
  signsChanged();
  forgetMap();
  for (const name of LEARNERS) state.score[name] = [0, 0];
  clear();
}

/** Four signs, and one of them drawn again. */
function example() {
  const circle = (turns, shrink, from = 0) => Array.from({ length: 40 }, (_, i) => {
    const angle = from + (turns * 2 * Math.PI * i) / 39;
    const radius = 0.35 * (1 - (shrink * i) / 39);
    return [0.5 + radius * Math.cos(angle), 0.5 + radius * Math.sin(angle)];
  });
  forget();
  const signs = [
    [[[0.5, 0.15], [0.15, 0.8], [0.85, 0.8], [0.5, 0.15]]],
    [circle(2.2, 0.9)],
    [[[0.2, 0.2], [0.8, 0.8]], [[0.8, 0.2], [0.2, 0.8]], [[0.2, 0.8], [0.8, 0.8]]],
    [[[0.5, 0.1], [0.5, 0.9]], [[0.2, 0.3], [0.8, 0.3]], circle(1, 0, 1).map(([x, y]) => [x * 0.5 + 0.25, y * 0.5 + 0.4])],
  ];
  state.signs = signs.map((strokes) => [{ strokes, image: rasterise(strokes) }]);
  state.strokes = [circle(1.8, 0.85, 0.5).map(([x, y]) => [x * 0.9 + 0.02, y * 1.1 - 0.06])];
  ask();
}

// ---------------------------------------------------------------- the file of signs

function save() {
  const signs = state.signs.map((examples) => examples.map(({ strokes }) => strokes.map((stroke) =>
    stroke.map((point) => point.map((value) => Number(value.toFixed(4)))))));
  const link = element("a", { download: "signs.json",
    href: URL.createObjectURL(new Blob([JSON.stringify({ format: FILE_FORMAT, signs })], { type: "application/json" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function loadFile() {
  const [file] = $("load").files;
  $("load").value = "";
  if (!file) return;
  try {
    const signs = readSigns(await file.text());
    forget();
    state.signs = signs;
    state.note = ["draw.loaded", signs.length];
  } catch (error) {
    state.note = ["draw.badFile", error.message];
  }
  ask();
}

/** The signs in a saved file. Throws an Error for a file of another kind. */
export function readSigns(text) {
  const { format, signs } = JSON.parse(text);
  if (format !== FILE_FORMAT || !Array.isArray(signs)) throw new Error(`format ${format}`);
  if (signs.length > SLOTS) throw new Error(`${signs.length} > ${SLOTS}`);
  const good = (value) => typeof value === "number" && value >= 0 && value <= 1;
  return signs.map((examples) => {
    if (!Array.isArray(examples) || !examples.length) throw new Error("a sign without examples");
    return examples.map((strokes) => {
      if (!Array.isArray(strokes) || !strokes.length || !strokes.every((stroke) => Array.isArray(stroke) && stroke.length &&
        stroke.every((point) => Array.isArray(point) && point.length === 2 && point.every(good)))) {
        throw new Error("a point that is not on the pad");
      }
      return { strokes, image: rasterise(strokes) };
    });
  });
}

// ---------------------------------------------------------------- the answers

let asked = 0;

/** Everyone answers what is on the pad and what was kept; MAML's answer comes later, from the worker. */
async function ask() {
  const turn = ++asked;
  const started = performance.now();
  const queries = [...(state.strokes.length ? [drawn()] : []), ...state.queries].map(({ image }) => image);
  const n = state.signs.length;
  if (n < 2 || !queries.length) {
    state.answers = {};
    state.points = null;
    if (n >= 2) learn();
    render();
    if (n >= 2) warmMaml();
    return;
  }
  state.answers = fastAnswers(queries);
  state.milliseconds.fast = performance.now() - started;
  render();
  try {
    const { logits } = await askMaml({ ...known.question, steps: state.steps, queries, together: state.together,
      key: `${known.version} ${state.steps}` });
    if (turn !== asked) return;
    state.mamlProblem = null;
    state.answers.maml = probabilities(logits).map((values) => ({ values, label: best(values) }));
    state.milliseconds.maml = performance.now() - started;
  } catch (error) {
    if (turn !== asked) return;
    state.mamlProblem = error.message;
  }
  renderAnswers();  // and nothing else: a button that is being pressed must not be exchanged meanwhile
  renderQueries();
}

/** Lets the worker adapt before the first query, so that only the query's own pass is left to do. */
function warmMaml() {
  learn();
  askMaml({ ...known.question, steps: state.steps, queries: [], key: `${known.version} ${state.steps}` })
    .catch((error) => { state.mamlProblem = error.message; });
}

let version = 0;

/** What follows from the signs alone, computed when they change. */
function learn() {
  if (known) return;
  const support = state.signs.flatMap((examples) => examples.map(({ image }) => image));
  const labels = state.signs.flatMap((examples, slot) => examples.map(() => slot));
  const n = state.signs.length;
  const question = { support, labels, n, rate: networks.rate };
  if (networks.own) {
    const embedded = projectEmbed(networks.own.params, support);
    known = { version: ++version, support, labels, n, embedded, prototypes: means(embedded, labels, n), question };
    return;
  }
  const { support: embedded, prototypes } = prototypical(networks.prototypical, support, labels, n, [], false);
  known = {
    version: ++version, support, labels, n, embedded, prototypes,
    statistics: body(networks.prototypical, stack(support), support.length).statistics,
    siamese: siameseEmbed(networks.siamese, networks.statistics, support),
    question,
  };
}

function fastAnswers(queries) {
  learn();
  const answers = networks.own ? ownAnswers(queries) : smallAnswers(queries);
  const distances = pixels(known.support, known.labels, known.n, queries).map((scores) => scores.map((score) => Math.sqrt(-score)));
  return { pixels: distances.map(nearestOf), ...answers };
}

const nearestOf = (values) => ({ values, label: values.indexOf(Math.min(...values)) });

/** By the reader's own model: its probability of *same*, and the prototypes of its embeddings. */
function ownAnswers(queries) {
  const { embedded, prototypes, labels, n } = known;
  const { params, threshold } = networks.own;
  const query = projectEmbed(params, queries);
  state.points = { support: embedded, prototypes, query };
  return {
    prototypical: byPrototypes(query),
    siamese: projectProbabilities(params, embedded, labels, n, query).map((values) => {
      const label = best(values);
      return { values, label: values[label] > threshold ? label : null };
    }),
  };
}

/** What the prototypes answer, standing where they stand: distances for the reader's own model, else probabilities. */
function byPrototypes(query) {
  const prototypes = standing();
  const squared = query.map((row) => prototypes.map((prototype) => squaredDistance(row, prototype)));
  if (networks.own) return squared.map((values) => nearestOf(values.map(Math.sqrt)));
  return probabilities(squared.map((values) => values.map((value) => -value))).map((values) => ({ values, label: best(values) }));
}

/** By the small networks of lessons 3 and 4. */
function smallAnswers(queries) {
  const { support, labels, n, prototypes, embedded, statistics } = known;
  const proto = state.together ? prototypical(networks.prototypical, support, labels, n, queries, true)
    : { support: embedded, prototypes, ...prototypicalFrom(networks.prototypical, statistics, prototypes, queries) };
  state.points = proto;
  const siamese = siameseDistances(known.siamese, labels, n, siameseEmbed(networks.siamese, networks.statistics, queries));
  return {
    prototypical: byPrototypes(proto.query),
    siamese: siamese.map((values) => {
      const { label } = nearestOf(values);
      return { values, label: values[label] < networks.threshold ? label : null };
    }),
  };
}

const best = (values) => values.indexOf(Math.max(...values));

// ---------------------------------------------------------------- what is shown

function render() {
  paintPad();
  paint($("seen"), state.strokes.length ? rasterise(state.strokes) : new Float64Array(784));
  renderAdvice();
  renderSigns();
  renderTruth();
  renderAnswers();
  renderQueries();
  renderPoints();
  $("steps-out").textContent = state.steps;
  if (networks.own) $("own-model").textContent = ` ${t("draw.own")}`;
}

function renderAdvice() {
  const n = state.signs.length;
  const answered = n > 1 && state.strokes.length;
  const stage = answered ? 4 : n > 1 ? 3 : state.strokes.length ? 1 : n === 1 ? 2 : 0;
  $("advice").textContent = state.note ? t(...state.note) : t(`draw.advice${stage}`);
  for (const id of ["undo", "clear", "keep", "teach"]) $(id).disabled = !state.strokes.length;
  $("save").disabled = !n;
}

function thumbnail(image) {
  const canvas = element("canvas", { className: "thumb" });
  paint(canvas, image);
  return canvas;
}

function renderSigns() {
  const cards = state.signs.map((examples, slot) => {
    const thumbs = examples.map(({ image }, place) => {
      const button = element("button", { type: "button", className: "example", onclick: () => removeExample(slot, place) }, thumbnail(image));
      button.setAttribute("aria-label", t("draw.remove", slot + 1, place + 1));
      return button;
    });
    const card = element("li", { className: "sign" }, element("div", { className: "name", textContent: t("draw.sign", slot + 1) }),
      element("div", { className: "examples" }, ...thumbs),
      element("button", { type: "button", textContent: t("draw.more"), disabled: !state.strokes.length, onclick: () => teach(slot) }));
    card.style.setProperty("--colour", COLOURS[slot]);
    return card;
  });
  $("signs").replaceChildren(...(cards.length ? cards : [element("li", { className: "small", textContent: t("draw.noneYet") })]));
}

function renderTruth() {
  $("truth").hidden = !(state.strokes.length && state.signs.length > 1);
  const buttons = state.signs.map((_, slot) => {
    const button = element("button", { type: "button", textContent: slot + 1, onclick: () => judge(slot) });
    button.setAttribute("aria-label", t("draw.sign", slot + 1));
    button.style.setProperty("--colour", COLOURS[slot]);
    return button;
  });
  buttons.push(element("button", { type: "button", textContent: t("draw.none"), onclick: () => judge(null) }));
  $("truths").replaceChildren(...buttons);
}

const nameOf = (name) => t(networks.own && (name === "siamese" || name === "prototypical") ? `draw.own.${name}` : `draw.${name}`, state.steps);
const words = (answer) => (answer ? answer.label === null ? t("draw.none") : t("draw.sign", answer.label + 1) : "…");

function renderAnswers() {
  const shown = state.strokes.length > 0;  // without a drawing the answers are those to the kept ones, shown elsewhere
  const old = document.querySelector("#answers > [data-learner=maml]");
  const panels = LEARNERS.map((name) => answerPanel(name, shown ? state.answers[name]?.[0] : undefined));
  if (old && shown && !everyoneAnswered() && state.signs.length > 1) {  // until MAML has answered, its last answer stays, faded
    old.classList.add("old");
    delete old.dataset.label;
    panels[3] = old;
  }
  $("answers").replaceChildren(...panels);
  const { fast, maml } = state.milliseconds;
  const timing = $("timing");
  timing.textContent = shown && state.answers.maml ? t("draw.timing", fast.toFixed(0), maml.toFixed(0)) : "";
  timing.dataset.fast = fast ?? "";
  timing.dataset.maml = state.answers.maml ? maml ?? "" : "";
  for (const button of $("truths").children) button.disabled = !everyoneAnswered();
}

function answerPanel(name, answer) {
  const [right, count] = state.score[name];
  const panel = element("div", { className: "answer" },
    element("h4", { textContent: nameOf(name) }, element("span", { textContent: count ? t("draw.score", right, count) : "" })));
  panel.dataset.learner = name;
  if (name === "maml" && state.mamlProblem) {
    panel.append(element("p", { className: "small", textContent: t("draw.noWorker", state.mamlProblem) }));
    return panel;
  }
  panel.append(element("div", { className: `verdict${answer?.label === null ? " none" : ""}`, textContent: answer ? words(answer) : "" }));
  if (!answer) return panel;
  const distance = name === "pixels" || name === (networks.own ? "prototypical" : "siamese");
  const threshold = name === "siamese" ? (networks.own ?? networks).threshold : null;
  const most = distance ? 1.1 * Math.max(...answer.values, threshold ?? 0) : 1;
  panel.dataset.label = answer.label === null ? "none" : answer.label + 1;
  panel.append(element("div", { className: "bars" }, ...answer.values.map((value, slot) => {
    const fill = element("div", { className: "fill" });
    fill.style.width = `${(100 * value) / most}%`;
    const track = element("div", { className: "track" }, fill);
    if (threshold !== null) {
      const cut = element("div", { className: "cut" });
      cut.style.left = `${(100 * threshold) / most}%`;
      track.append(cut);
    }
    return element("div", { className: `bar${slot === answer.label ? " best" : ""}` }, element("span", { textContent: slot + 1 }), track,
      element("span", { className: "value", textContent: distance ? value.toFixed(1) : `${(100 * value).toFixed(0)} %` }));
  })), element("p", { className: "unit", textContent: t(unitOf(name, answer.values.length)) }));
  return panel;
}

function unitOf(name, n) {
  if (name === "maml" && n > 5) return "draw.five";
  if (networks.own) return { pixels: "draw.distance", siamese: "draw.same", prototypical: "draw.distance" }[name] ?? "draw.probability";
  return { pixels: "draw.distance", siamese: "draw.threshold" }[name] ?? "draw.probability";
}

function renderQueries() {
  const first = state.strokes.length ? 1 : 0;
  $("queries").replaceChildren(...state.queries.map(({ image }, i) => element("li", {},
    thumbnail(image), ...LEARNERS.map((name) => element("span", { textContent: nameOf(name) },
      element("b", { textContent: state.signs.length > 1 ? words(state.answers[name]?.[first + i]) : "" }))))));
}

// ---------------------------------------------------------------- the map

function renderPoints() {
  const shown = known && state.signs.length > 1;
  const { support, query } = state.points ?? { support: known?.embedded, query: [] };
  renderMap($("map"), shown ? [
    ...support.map((row, i) => ({ key: `s${i}`, kind: "support", label: known.labels[i], row })),
    ...standing().map((row, i) => ({ key: `p${i}`, kind: "prototype", label: i, row })),
    ...query.map((row, i) => ({ key: i || !state.strokes.length ? `k${state.queries.length - i + (state.strokes.length ? 1 : 0)}` : "query",
      kind: i || !state.strokes.length ? "kept" : "query", row })),
  ] : [], state.moved.some(Boolean));
  $("back").disabled = !state.moved.some(Boolean);
}

/** The prototypes, where they were dragged to. */
function standing() {
  return (state.points ?? known).prototypes.map((row, i) => (state.moved[i] ? row.map((value, d) => value + state.moved[i][d]) : row));
}

/** Move prototype i in the embedding; the others stay, and the embeddings need not be computed again. */
function movePrototype(i, by) {
  state.moved[i] = by.map((value, d) => value + (state.moved[i]?.[d] ?? 0));
  answerAgain();
}

function putBack(i) {
  state.moved[i] = null;
  answerAgain();
}

function answerAgain() {
  if (state.answers.prototypical) state.answers.prototypical = byPrototypes(state.points.query);
  renderAnswers();
  renderQueries();
  renderPoints();
}
